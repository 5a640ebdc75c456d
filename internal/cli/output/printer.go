package output

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/internal/program/spreadsheet"
)

// Column is a column of a table about values of type T.
type Column[T any] struct {
	Header string
	// Wide columns are shown by -o wide and in CSV only.
	Wide  bool
	Value func(T) string
}

// View says how values of type T are printed. In JSON and YAML they are printed whole.
type View[T any] struct {
	Columns []Column[T]
	// Name is what -o name prints: what other commands take as an argument.
	Name func(T) string
	// Identity distinguishes values in a watch; nil means Name.
	Identity func(T) string
	// Key is what -o key prints; nil if there is no key to print.
	Key func(T) string
	// Empty is printed instead of a table without rows.
	Empty string
}

// Printer prints values one after the other. Close must be called after the last one.
type Printer[T any] struct {
	view   *View[T]
	format *Format
	out    io.Writer
	table  *table
	csv    *csv.Writer
	// list is true when the values are a list, even if it has one.
	list  bool
	count int
}

// NewList returns a printer of a list. width is the width of the terminal, or 0 if the output is not a terminal.
func NewList[T any](out io.Writer, width int, format *Format, view *View[T]) *Printer[T] {
	p := &Printer[T]{view: view, format: format, out: out, list: true}
	switch format.Name {
	case Table, Wide:
		p.table = &table{out: out, width: width}
		p.table.headers = headers(p.columns())
	case CSV:
		p.csv = csv.NewWriter(out)
	}
	return p
}

// One prints one value.
func One[T any](out io.Writer, width int, format *Format, view *View[T], value T) error {
	p := NewList(out, width, format, view)
	p.list = false
	if err := p.Print(value); err != nil {
		return err
	}
	return p.Close()
}

func headers[T any](columns []Column[T]) []string {
	names := make([]string, len(columns))
	for i := range columns {
		names[i] = columns[i].Header
	}
	return names
}

func (p *Printer[T]) columns() []Column[T] {
	if p.format.Name != Table {
		return p.view.Columns
	}
	var some []Column[T]
	for i := range p.view.Columns {
		if !p.view.Columns[i].Wide {
			some = append(some, p.view.Columns[i])
		}
	}
	return some
}

func (p *Printer[T]) row(value T) []string {
	columns := p.columns()
	cells := make([]string, len(columns))
	for i := range columns {
		cells[i] = Clean(columns[i].Value(value))
	}
	return cells
}

// dashed shows what is missing, so that programs such as awk find the same number of columns in each row.
func dashed(cells []string) []string {
	for i := range cells {
		if cells[i] == "" {
			cells[i] = "-"
		}
	}
	return cells
}

// Print prints a value.
func (p *Printer[T]) Print(value T) error {
	p.count++
	switch p.format.Name {
	case Table, Wide:
		return p.table.add(dashed(p.row(value)))
	case CSV:
		if p.count == 1 {
			if err := p.csv.Write(headers(p.columns())); err != nil {
				return err
			}
		}
		return p.csv.Write(spreadsheet.Safe(p.row(value)))
	case Name:
		return p.line(p.view.Name(value))
	case Key:
		if p.view.Key == nil {
			return fmt.Errorf("-o key: this command prints no key")
		}
		return p.line(p.view.Key(value))
	case JSON:
		return p.json(value)
	case YAML:
		return p.yaml(value)
	}
	return p.expression(value)
}

func (p *Printer[T]) line(text string) error {
	_, err := fmt.Fprintln(p.out, text)
	return err
}

func (p *Printer[T]) json(value T) error {
	indent := ""
	if p.list {
		indent = "  "
	}
	text, err := marshal(value, indent)
	if err != nil {
		return err
	}
	lead := ""
	switch {
	case p.list && p.count == 1:
		lead = "[\n  "
	case p.list:
		lead = ",\n  "
	}
	end := "\n"
	if p.list {
		end = ""
	}
	_, err = io.WriteString(p.out, lead+text+end)
	return err
}

func marshal(value any, prefix string) (string, error) {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent(prefix, "  ")
	err := encoder.Encode(value)
	return strings.TrimSuffix(b.String(), "\n"), err
}

func (p *Printer[T]) yaml(value T) error {
	text, err := yaml.Marshal(value)
	if err != nil {
		return err
	}
	if !p.list {
		_, err = p.out.Write(text)
		return err
	}
	// An entry of a list is indented below its dash.
	entry := "- " + strings.ReplaceAll(strings.TrimSuffix(string(text), "\n"), "\n", "\n  ") + "\n"
	_, err = io.WriteString(p.out, entry)
	return err
}

// expression prints what a JSONPath or a Go template makes of a value, on a line of its own.
func (p *Printer[T]) expression(value T) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return err
	}
	var b strings.Builder
	if p.format.path != nil {
		err = p.format.path.Execute(&b, plain)
	} else {
		err = p.format.tmpl.Execute(&b, plain)
	}
	if err != nil {
		return fmt.Errorf("output %s: %w", p.format.Name, err)
	}
	return p.line(b.String())
}

// Identity returns what distinguishes a value from the others.
func (p *Printer[T]) Identity(value T) string {
	if p.view.Identity != nil {
		return p.view.Identity(value)
	}
	return p.view.Name(value)
}

// Count returns how many values were printed.
func (p *Printer[T]) Count() int { return p.count }

// Flush prints what is held back to align a table, and buffered lines of CSV.
func (p *Printer[T]) Flush() error {
	if p.csv != nil {
		p.csv.Flush()
		return p.csv.Error()
	}
	if p.table == nil || p.count == 0 {
		return nil
	}
	return p.table.flush()
}

// Close prints what is left.
func (p *Printer[T]) Close() error {
	switch p.format.Name {
	case Table, Wide:
		if p.count == 0 && p.view.Empty != "" {
			return p.line(p.view.Empty)
		}
		return p.table.flush()
	case CSV:
		return p.closeCSV()
	}
	return p.closeList()
}

func (p *Printer[T]) closeCSV() error {
	if p.count == 0 {
		if err := p.csv.Write(headers(p.columns())); err != nil {
			return err
		}
	}
	p.csv.Flush()
	return p.csv.Error()
}

// closeList ends a list in JSON or YAML.
func (p *Printer[T]) closeList() error {
	isJSON := p.format.Name == JSON
	switch {
	case !p.list || !isJSON && p.format.Name != YAML:
		return nil
	case p.count == 0:
		return p.line("[]")
	case isJSON:
		return p.line("\n]")
	}
	return nil
}
