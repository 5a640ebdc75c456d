package scenario

import (
	"fmt"
	"io"
	"strings"
)

// Printer writes the output for people: the same lines on a terminal and in a log, except for colours.
type Printer struct {
	out    io.Writer
	colour bool
	// commands counts the commands of the current step.
	commands int
}

// NewPrinter returns a Printer that writes to out.
func NewPrinter(out io.Writer, colour bool) *Printer {
	return &Printer{out: out, colour: colour}
}

// The colours, as parameters of the terminal's SGR sequence.
const (
	bold  = "1"
	faint = "2"
	red   = "31"
	green = "32"
	cyan  = "36"
)

func (p *Printer) title(number, of int, text string) {
	p.commands = 0
	fmt.Fprintf(p.out, "\n%s\n\n", p.paint(bold, fmt.Sprintf("%d/%d  %s", number, of, text)))
}

// command starts a paragraph, unless the title has just started one.
func (p *Printer) command(line string) {
	p.commands++
	if p.commands > 1 {
		fmt.Fprintln(p.out)
	}
	p.lines(cyan, "$ "+line)
}

func (p *Printer) output(text string) {
	p.lines("", text)
}

func (p *Printer) note(text string) {
	p.lines(faint, "# "+text)
}

func (p *Printer) good(text string) {
	p.lines(green, "✓ "+text)
}

func (p *Printer) bad(text string) {
	p.lines(red, "✗ "+text)
}

// lines writes each line of text indented. It writes nothing for an empty text.
func (p *Printer) lines(colour, text string) {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintln(p.out, strings.TrimRight("  "+p.paint(colour, line), " "))
	}
}

func (p *Printer) paint(colour, text string) string {
	if !p.colour || colour == "" || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
