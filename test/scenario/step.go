package scenario

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Step is one step of the story: what is done, and what that proves.
type Step struct {
	// Title is the step's subject, Proves what its acts have shown.
	Title, Proves string
	acts          []act
}

// act is something that a step does and checks.
type act interface {
	play(ctx context.Context, p *Player) error
}

// Mismatch is the error of an act that showed something else than expected.
type Mismatch struct {
	Want, Got string
}

func (m *Mismatch) Error() string {
	return fmt.Sprintf("expected %s, got %s", m.Want, m.Got)
}

// check checks the output of a command.
type check struct {
	want string
	// got returns what the output has instead, or "" if the check is met.
	got func(output string) string
}

// verify returns a *Mismatch for the first check that output does not meet.
func verify(output string, checks []check) error {
	for _, c := range checks {
		if got := c.got(output); got != "" {
			return &Mismatch{Want: c.want, Got: got}
		}
	}
	return nil
}

// whole describes an output that a person can see above.
func whole(output string) string {
	if strings.TrimSpace(output) == "" {
		return "no output"
	}
	return "what is printed above"
}

// contains expects text somewhere.
func contains(text string) check {
	return check{fmt.Sprintf("%q", text), func(output string) string {
		if strings.Contains(output, text) {
			return ""
		}
		return whole(output)
	}}
}

// lacks expects text nowhere.
func lacks(text string) check {
	return check{fmt.Sprintf("no %q", text), func(output string) string {
		if strings.Contains(output, text) {
			return whole(output)
		}
		return ""
	}}
}

// row expects a line of a table that starts with these columns. The first names the row.
func row(columns ...string) check {
	return check{"the row " + strings.Join(columns, " "), func(output string) string {
		for line := range strings.Lines(output) {
			fields := strings.Fields(line)
			if len(fields) == 0 || fields[0] != columns[0] {
				continue
			}
			if len(fields) >= len(columns) && slices.Equal(fields[:len(columns)], columns) {
				return ""
			}
			return "the row " + strings.Join(fields, " ")
		}
		return "no row " + columns[0]
	}}
}

// status expects this status in an HTTP reply.
func status(code int) check {
	return check{fmt.Sprintf("HTTP status %d", code), func(output string) string {
		first, _, _ := strings.Cut(output, "\n")
		fields := strings.Fields(first)
		switch {
		case len(fields) < 2 || !strings.HasPrefix(fields[0], "HTTP/"):
			return "no reply"
		case fields[1] == strconv.Itoa(code):
			return ""
		}
		return first
	}}
}

// header expects this header in an HTTP reply, with exactly this value.
func header(name, value string) check {
	return check{fmt.Sprintf("the header %s: %s", name, value), func(output string) string {
		for line := range strings.Lines(output) {
			field, got, found := strings.Cut(line, ":")
			got = strings.TrimSpace(got)
			switch {
			case !found || !strings.EqualFold(field, name):
			case got == value:
				return ""
			default:
				return fmt.Sprintf("%s: %s", field, got)
			}
		}
		return "no such header"
	}}
}
