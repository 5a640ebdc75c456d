package chart

import (
	"html"
	"html/template"
	"strings"
)

// drawing collects an SVG image. Every text and attribute is escaped.
type drawing struct{ strings.Builder }

// attribute is a presentation attribute or a class.
type attribute struct {
	name  string
	value any
}

// open begins an element.
func (d *drawing) open(element string, attributes ...attribute) {
	d.WriteString("<" + element)
	for _, a := range attributes {
		d.WriteString(" " + a.name + `="`)
		switch value := a.value.(type) {
		case float64:
			d.WriteString(number(value))
		case string:
			d.WriteString(html.EscapeString(text(value)))
		}
		d.WriteByte('"')
	}
	d.WriteByte('>')
}

func (d *drawing) close(element string) { d.WriteString("</" + element + ">") }

// empty writes an element without content.
func (d *drawing) empty(element string, attributes ...attribute) {
	d.open(element, attributes...)
	d.close(element)
}

// element writes an element with a text.
func (d *drawing) element(name, content string, attributes ...attribute) {
	d.open(name, attributes...)
	d.WriteString(html.EscapeString(text(content)))
	d.close(name)
}

// html returns the image.
func (d *drawing) html() template.HTML {
	return template.HTML(d.String()) //nolint:gosec // open and element escape what they write
}

// text replaces what HTML can't have.
func text(content string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(content, "\uFFFD"), "\x00", "\uFFFD")
}

// number returns a coordinate with up to two decimals.
func number(value float64) string {
	digits := decimal(value, 2)
	digits = strings.TrimRight(strings.TrimRight(digits, "0"), ".")
	if digits == "-0" || digits == "" {
		return "0"
	}
	return digits
}

// shorten cuts a text to so many characters.
func shorten(content string, most int) string {
	runes := []rune(text(content))
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most-1]) + "…"
}
