package chart

import (
	"fmt"
	"html/template"
	"strings"
	"unicode/utf8"
)

const (
	// MaxSeries is how many series have a colour of their own. All others are added up as one.
	MaxSeries = 8
	// maxColumns bounds the columns that are drawn: with more, neighbours are added up.
	maxColumns = 120
	// Other is the name of the series of all others.
	Other = "Other"
)

// Columns is a chart with a column for each span of time, in which the series are stacked.
type Columns struct {
	// ID is unique in the page.
	ID, Title, Description string
	Unit                   Unit
	// Labels name the columns.
	Labels []string
	// Series are drawn from the bottom up.
	Series []Series
}

// Series has a value for each label. Missing values are 0.
type Series struct {
	Name   string
	Values []float64
}

// Entry is a line of a legend.
type Entry struct{ Name, Class string }

// Legend names the series and the classes of their colours.
func (c *Columns) Legend() (all []Entry) {
	for i, s := range c.stacked() {
		all = append(all, Entry{s.Name, classOf(i)})
	}
	return all
}

func classOf(series int) string {
	if series >= MaxSeries {
		return "series-other"
	}
	return fmt.Sprintf("series-%d", series+1)
}

// stacked returns the series that are drawn.
func (c *Columns) stacked() []Series {
	if len(c.Series) <= MaxSeries {
		return c.Series
	}
	rest := Series{Other, make([]float64, len(c.Labels))}
	for _, s := range c.Series[MaxSeries:] {
		for i := range c.Labels {
			rest.Values[i] += s.at(i)
		}
	}
	return append(c.Series[:MaxSeries:MaxSeries], rest)
}

func (s *Series) at(i int) float64 {
	if i >= len(s.Values) {
		return 0
	}
	return clean(s.Values[i])
}

// column is a column as it is drawn.
type column struct {
	label  string
	values []float64
	total  float64
}

// columns returns the columns that are drawn.
func (c *Columns) columns(stacked []Series) (all []column) {
	width := (len(c.Labels) + maxColumns - 1) / maxColumns
	for from := 0; from < len(c.Labels); from += width {
		until := min(from+width, len(c.Labels))
		one := column{label: c.Labels[from], values: make([]float64, len(stacked))}
		if until-from > 1 {
			one.label += " – " + c.Labels[until-1]
		}
		for s := range stacked {
			for i := from; i < until; i++ {
				one.values[s] += stacked[s].at(i)
			}
			one.total += one.values[s]
		}
		all = append(all, one)
	}
	return all
}

// The image, in units of its viewBox, and the plot in it.
const (
	width, height               = 720.0, 240.0
	left, right, top, bottom    = 64.0, 8.0, 12.0, 28.0
	plotWidth, plotHeight       = width - left - right, height - top - bottom
	floor                       = top + plotHeight
	widestBar, gapShare, minGap = 48.0, 0.3, 3.0
	fontSize, glyph             = 12.0, 6.8
	maxLabel, maxTicks          = 24, 4
)

// SVG draws the chart. Without a column it is empty.
func (c *Columns) SVG() template.HTML {
	stacked := c.stacked()
	all := c.columns(stacked)
	if len(all) == 0 {
		return ""
	}
	highest := 0.0
	for _, one := range all {
		highest = max(highest, one.total)
	}
	ticks := Ticks(highest, maxTicks, c.Unit == Count)
	d := &drawing{}
	d.open("svg", attribute{"xmlns", "http://www.w3.org/2000/svg"}, attribute{"class", "chart"},
		attribute{"viewBox", fmt.Sprintf("0 0 %s %s", number(width), number(height))}, attribute{"role", "img"},
		attribute{"aria-labelledby", c.ID + "-title " + c.ID + "-desc"})
	d.element("title", c.Title, attribute{"id", c.ID + "-title"})
	d.element("desc", c.Description, attribute{"id", c.ID + "-desc"})
	c.drawAxis(d, ticks)
	drawLabels(d, all)
	for i := range all {
		c.drawColumn(d, stacked, &all[i], place(i, len(all)), ticks[len(ticks)-1])
	}
	d.close("svg")
	return d.html()
}

func (c *Columns) drawAxis(d *drawing, ticks []float64) {
	last := ticks[len(ticks)-1]
	for _, tick := range ticks {
		y := floor - plotHeight*tick/last
		d.empty("line", attribute{"class", "chart-line"}, attribute{"x1", left}, attribute{"x2", width - right},
			attribute{"y1", y}, attribute{"y2", y}, attribute{"stroke", "currentColor"})
		d.element("text", c.Unit.Axis(tick, ticks[1]), attribute{"class", "chart-text"}, attribute{"x", left - 8},
			attribute{"y", y + fontSize/3}, attribute{"text-anchor", "end"}, attribute{"font-size", fontSize},
			attribute{"fill", "currentColor"})
	}
}

// drawLabels leaves out labels that would overlap.
func drawLabels(d *drawing, all []column) {
	longest := 1
	for _, one := range all {
		longest = max(longest, min(maxLabel, utf8.RuneCountInString(one.label)))
	}
	every := 1
	for slot := plotWidth / float64(len(all)); slot*float64(every) < float64(longest+2)*glyph && every < len(all); {
		every++
	}
	end := 0.0
	for i := 0; i < len(all); i += every {
		label := shorten(all[i].label, maxLabel)
		half := float64(utf8.RuneCountInString(label)) * glyph / 2
		x := min(place(i, len(all)).middle, width-half)
		if x-half < end {
			continue
		}
		end = x + half + glyph
		d.element("text", label, attribute{"class", "chart-text"}, attribute{"x", x},
			attribute{"y", height - bottom/3}, attribute{"text-anchor", "middle"}, attribute{"font-size", fontSize},
			attribute{"fill", "currentColor"})
	}
}

// slot is where a column is.
type slot struct{ left, width, middle float64 }

func place(i, of int) slot {
	whole := plotWidth / float64(of)
	bar := whole
	if whole > minGap {
		bar = min(whole*(1-gapShare), widestBar)
	}
	middle := left + whole*(float64(i)+0.5)
	return slot{middle - bar/2, bar, middle}
}

// drawColumn draws the bars of a column from the floor up. Their title names all of them.
func (c *Columns) drawColumn(d *drawing, stacked []Series, one *column, at slot, last float64) {
	if one.total == 0 {
		return
	}
	d.open("g")
	d.element("title", c.tooltip(stacked, one))
	base := floor
	for i, value := range one.values {
		if value == 0 {
			continue
		}
		tall := plotHeight * value / last
		base -= tall
		d.empty("rect", attribute{"class", classOf(i)}, attribute{"x", at.left}, attribute{"y", base},
			attribute{"width", at.width}, attribute{"height", tall}, attribute{"fill", "currentColor"})
	}
	d.close("g")
}

func (c *Columns) tooltip(stacked []Series, one *column) string {
	lines := []string{one.label + ": " + c.Unit.Text(one.total)}
	for i, value := range one.values {
		if value > 0 && len(stacked) > 1 {
			lines = append(lines, stacked[i].Name+": "+c.Unit.Text(value))
		}
	}
	return strings.Join(lines, "\n")
}
