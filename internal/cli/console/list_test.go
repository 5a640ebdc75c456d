package console_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
)

// A list that fails says nothing of being empty, in no format: a script would take that for the answer.
func TestList_ThatFails(t *testing.T) {
	refused := errors.New("refused")
	view := &output.View[string]{
		Columns: []output.Column[string]{{Header: "NAME", Value: func(s string) string { return s }}},
		Name:    func(s string) string { return s }, Empty: "Nothing found.",
	}
	for format, want := range map[string][2]string{
		"table": {"Nothing found.\n", "NAME\na\n"}, "csv": {"NAME\n", "NAME\na\n"}, "name": {"", "a\n"},
		"json": {"[]\n", "[\n  \"a\"\n]\n"}, "yaml": {"[]\n", "- a\n"},
	} {
		f, err := output.Parse(format)
		if err != nil {
			t.Fatal(err)
		}
		for _, watch := range []bool{false, true} {
			list := func(values []string, fails error) (string, error) {
				var out bytes.Buffer
				err := console.List(t.Context(), output.NewList(&out, 0, f, view), watch, ended,
					func(yield func(string, error) bool) {
						for _, value := range values {
							if !yield(value, nil) {
								return
							}
						}
						if fails != nil {
							yield("", fails)
						}
					})
				return out.String(), err
			}
			if got, err := list(nil, refused); got != "" || !errors.Is(err, refused) {
				t.Errorf("%s: %q, %v", format, got, err)
			}
			if got, err := list([]string{"a"}, refused); got != want[1] || !errors.Is(err, refused) {
				t.Errorf("%s after a value: %q, %v", format, got, err)
			}
			if got, err := list(nil, nil); got != want[0] || err != nil {
				t.Errorf("%s: %q, %v", format, got, err)
			}
		}
	}
}

// ended is a wait that the user ends.
func ended(context.Context, time.Duration) error { return context.Canceled }
