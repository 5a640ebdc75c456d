package chart

import "html/template"

// Level is how a meter is coloured.
type Level string

// Levels.
const (
	Plain Level = "meter-good"
	// Near is for what is almost used up, Over for what is.
	Near Level = "meter-warn"
	Over Level = "meter-bad"
)

// Meter returns a horizontal bar that is filled by a part from 0 to 1. It is hidden from screen readers: the page has
// its value as text.
func Meter(part float64, level Level) template.HTML {
	const long, tall = 100.0, 8.0
	d := &drawing{}
	d.open("svg", attribute{"xmlns", "http://www.w3.org/2000/svg"}, attribute{"class", "meter"},
		attribute{"viewBox", "0 0 100 8"}, attribute{"preserveAspectRatio", "none"}, attribute{"aria-hidden", "true"},
		attribute{"focusable", "false"})
	d.empty("rect", attribute{"class", "meter-ground"}, attribute{"width", long}, attribute{"height", tall},
		attribute{"fill", "currentColor"})
	if filled := min(clean(part), 1) * long; filled > 0 {
		d.empty("rect", attribute{"class", string(level)}, attribute{"width", filled}, attribute{"height", tall},
			attribute{"fill", "currentColor"})
	}
	d.close("svg")
	return d.html()
}
