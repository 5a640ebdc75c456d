package output

import (
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

const (
	// held is how many rows are held back to measure the columns. Later rows are printed as they come.
	held = 1000
	// gap separates columns.
	gap = "  "
	// narrowest is the least width to which a column is cut.
	narrowest = 8
)

// table aligns columns. On a terminal it cuts long cells, so that a row is one line.
type table struct {
	out     io.Writer
	headers []string
	// width is the width of the terminal, or 0 if nothing is to be cut.
	width   int
	rows    [][]string
	columns []int
}

func (t *table) add(row []string) error {
	if t.columns != nil {
		return t.print(row)
	}
	t.rows = append(t.rows, row)
	if len(t.rows) == held {
		return t.flush()
	}
	return nil
}

// flush prints the rows that were held back.
func (t *table) flush() error {
	if t.columns != nil {
		return nil
	}
	t.measure()
	for _, row := range append([][]string{t.headers}, t.rows...) {
		if err := t.print(row); err != nil {
			return err
		}
	}
	t.rows = nil
	return nil
}

func (t *table) measure() {
	t.columns = make([]int, len(t.headers))
	for _, row := range append([][]string{t.headers}, t.rows...) {
		for i, cell := range row {
			t.columns[i] = max(t.columns[i], runewidth.StringWidth(cell))
		}
	}
	if t.width == 0 {
		return
	}
	for t.total() > t.width {
		widest := slices.Index(t.columns, slices.Max(t.columns))
		if t.columns[widest] <= narrowest {
			return
		}
		t.columns[widest]--
	}
}

func (t *table) total() int {
	sum := len(gap) * (len(t.columns) - 1)
	for _, width := range t.columns {
		sum += width
	}
	return sum
}

func (t *table) print(row []string) error {
	var b strings.Builder
	for i, cell := range row {
		if t.width > 0 {
			cell = runewidth.Truncate(cell, t.columns[i], "…")
		}
		b.WriteString(cell)
		if i < len(row)-1 {
			b.WriteString(strings.Repeat(" ", max(t.columns[i]-runewidth.StringWidth(cell), 0)) + gap)
		}
	}
	_, err := io.WriteString(t.out, strings.TrimRight(b.String(), " ")+"\n")
	return err
}

// Clean returns text without what could move the cursor or change colours: each control character becomes �.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
