package output_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/internal/cli/output"
)

type row struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Note string `json:"note"`
}

var view = &output.View[row]{
	Columns: []output.Column[row]{
		{Header: "ID", Value: func(r row) string { return r.ID }},
		{Header: "NAME", Value: func(r row) string { return r.Name }},
		{Header: "NOTE", Wide: true, Value: func(r row) string { return r.Note }},
	},
	Name:  func(r row) string { return r.ID },
	Empty: "Nothing found.",
}

// printed returns a list in a format, for a terminal of some width or 0.
func printed(t *testing.T, format string, width int, rows ...row) string {
	t.Helper()
	f, err := output.Parse(format)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	p := output.NewList(&out, width, f, view)
	for _, r := range rows {
		if err := p.Print(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestPrint_Formats(t *testing.T) {
	rows := []row{{"1", "a", ""}, {"22", "b c", "=1+1"}}
	for format, want := range map[string]string{
		"table":                         "ID  NAME\n1   a\n22  b c\n",
		"wide":                          "ID  NAME  NOTE\n1   a     -\n22  b c   =1+1\n",
		"csv":                           "ID,NAME,NOTE\n1,a,\n22,b c,'=1+1\n",
		"name":                          "1\n22\n",
		"jsonpath={.name}":              "a\nb c\n",
		"jsonpath=.id":                  "1\n22\n",
		"go-template={{.id}}:{{.note}}": "1:\n22:=1+1\n",
		"yaml":                          "- id: \"1\"\n  name: a\n  note: \"\"\n- id: \"22\"\n  name: b c\n  note: =1+1\n",
		"json": `[
  {
    "id": "1",
    "name": "a",
    "note": ""
  },
  {
    "id": "22",
    "name": "b c",
    "note": "=1+1"
  }
]
`,
	} {
		if got := printed(t, format, 0, rows...); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", format, got, want)
		}
	}
}

func TestPrint_EmptyLists(t *testing.T) {
	for format, want := range map[string]string{
		"table": "Nothing found.\n", "wide": "Nothing found.\n", "csv": "ID,NAME,NOTE\n", "json": "[]\n", "yaml": "[]\n",
		"name": "", "jsonpath={.id}": "",
	} {
		if got := printed(t, format, 80); got != want {
			t.Errorf("%s: %q, want %q", format, got, want)
		}
	}
}

// What is printed for programs can be read by them, whatever is in it.
func TestPrint_IsReadAgain(t *testing.T) {
	rows := []row{{"1", "a\"b,c\nd", "<é>&\u2028"}, {"2", "- x: 'y'", "\x1b[31m#"}}
	for format, read := range map[string]func([]byte, any) error{
		"json": json.Unmarshal, "yaml": func(text []byte, v any) error { return yaml.Unmarshal(text, v) },
	} {
		var got []row
		if err := read([]byte(printed(t, format, 0, rows...)), &got); err != nil || fmt.Sprint(got) != fmt.Sprint(rows) {
			t.Errorf("%s: %q %v", format, got, err)
		}
	}
	all, err := csv.NewReader(strings.NewReader(printed(t, "csv", 0, rows...))).ReadAll()
	if err != nil || len(all) != 3 || all[1][1] != `a"b,c d` || all[2][1] != "'- x: 'y'" || all[2][2] != "\uFFFD[31m#" {
		t.Errorf("%q %v", all, err)
	}
}

func TestTable_FitsTheTerminal(t *testing.T) {
	long := row{"f9477450-c1d7-4b08-9809-645d83bcfa0d", strings.Repeat("名前", 30), "x"}
	for _, width := range []int{30, 40, 80} {
		for line := range strings.Lines(printed(t, "wide", width, long)) {
			columns := 0
			for _, r := range strings.TrimSuffix(line, "\n") {
				columns++
				if r >= 0x2e80 {
					columns++
				}
			}
			if columns > width {
				t.Errorf("%d columns on a terminal of %d: %s", columns, width, line)
			}
		}
	}
	// Other programs get everything.
	if got := printed(t, "table", 0, long); !strings.Contains(got, long.ID) || !strings.Contains(got, long.Name) {
		t.Error(got)
	}
}

// Names come from others. They must not change what the terminal shows.
func TestTable_HasNoControlCharacters(t *testing.T) {
	got := printed(t, "table", 80, row{"1", "a\x1b]0;title\x07\x1b[2J\r\n\u202eb\x9b31m", ""})
	if strings.ContainsAny(got, "\x1b\x07\r\u202e\u009b") || strings.Count(got, "\n") != 2 {
		t.Errorf("%q", got)
	}
}

// The first rows decide the widths; later ones are printed as they come.
func TestTable_StreamsLongLists(t *testing.T) {
	f, err := output.Parse("table")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	p := output.NewList(&out, 0, f, view)
	for i := range 3000 {
		if err := p.Print(row{fmt.Sprint(i), "n", ""}); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(out.String(), "\n"); i >= 1000 && lines != i+2 {
			t.Fatalf("%d rows printed %d lines", i+1, lines)
		}
	}
}

func TestParse_Refuses(t *testing.T) {
	for text, want := range map[string]string{
		"xml":            `output "xml" must be one of table, wide, `,
		"":               `output "" must be one of `,
		"json=x":         "output json takes no argument",
		"jsonpath":       "output jsonpath needs an expression: -o jsonpath=…",
		"jsonpath={.x":   "output jsonpath: ",
		"go-template={{": "output go-template: ",
	} {
		if _, err := output.Parse(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
