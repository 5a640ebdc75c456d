package web

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"time"

	"keywright.dev/keywright/internal/manage/audit"
)

//go:embed templates icons/*.svg
var files embed.FS

// View is the compiled template of a page.
type View struct {
	template *template.Template
}

// frame is the layout and the components, which every View has.
var frame = template.Must(template.New("layout.html").Funcs(functions).
	ParseFS(files, "templates/layout.html", "templates/components.html"))

// NewView compiles a page: files of a package that define "main". It panics on a fault: templates are part of the
// program.
func NewView(source fs.FS, names ...string) *View {
	return &View{template.Must(template.Must(frame.Clone()).ParseFS(source, names...))}
}

func (v *View) execute(w io.Writer, f *Frame) error { return v.template.Execute(w, f) }

// functions are what templates may call.
var functions = template.FuncMap{
	"icon":     icon,
	"asset":    assetPath,
	"time":     showTime,
	"day":      showDay,
	"relative": relative,
	"list":     func(items ...any) []any { return items },
	"dict":     dict,
	"join":     func(texts []string) string { return strings.Join(texts, ", ") },
	"count":    count,
	"number":   Grouped,
	"outcome":  outcome,
}

// outcomes are the classes of the badges of audit outcomes.
var outcomes = map[string]string{audit.Done: "badge-good", audit.Refused: "badge-warn", audit.Failed: "badge-bad"}

func outcome(of string) string { return outcomes[of] }

// icon returns an icon of the folder icons. It is decoration: the text beside it says the same.
func icon(name string) (template.HTML, error) {
	shapes, err := files.ReadFile("icons/" + name + ".svg")
	if err != nil {
		return "", err
	}
	return template.HTML( //nolint:gosec // our own file
		`<svg class="icon" viewBox="0 0 24 24" width="16" height="16" fill="none" stroke="currentColor" stroke-width="2"` +
			` stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">` +
			strings.TrimSpace(string(shapes)) + `</svg>`), nil
}

// dict returns a map, for a component with several arguments.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: %d arguments", len(pairs))
	}
	named := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name, is := pairs[i].(string)
		if !is {
			return nil, fmt.Errorf("dict: %v is not a name", pairs[i])
		}
		named[name] = pairs[i+1]
	}
	return named, nil
}

// instant returns a time.Time or a *time.Time. Nil and zero are zero.
func instant(at any) (time.Time, error) {
	switch at := at.(type) {
	case time.Time:
		return at, nil
	case *time.Time:
		if at == nil {
			return time.Time{}, nil
		}
		return *at, nil
	}
	return time.Time{}, fmt.Errorf("%T is not a time", at)
}

// showTime shows an instant: in UTC, and by the script in the reader's zone. The zero time shows nothing.
func showTime(at any) (template.HTML, error) {
	t, err := instant(at)
	if err != nil || t.IsZero() {
		return "", err
	}
	return timeElement(t, "time", t.UTC().Format("2006-01-02 15:04")+" UTC"), nil
}

// showDay shows the day of an instant, likewise.
func showDay(at any) (template.HTML, error) {
	t, err := instant(at)
	if err != nil || t.IsZero() {
		return "", err
	}
	return timeElement(t, "day", t.UTC().Format(time.DateOnly)), nil
}

// relative shows how long ago an instant was, or how long it is until then. The script keeps it up to date.
func relative(now time.Time, at any) (template.HTML, error) {
	t, err := instant(at)
	if err != nil || t.IsZero() {
		return "", err
	}
	return timeElement(t, "relative", Relative(now, t)), nil
}

func timeElement(t time.Time, kind, text string) template.HTML {
	exact := t.UTC().Format(time.RFC3339)
	return template.HTML( //nolint:gosec // digits and our own words
		`<time datetime="` + exact + `" data-time="` + kind + `" title="` + t.UTC().Format("2006-01-02 15:04:05") +
			` UTC">` + text + `</time>`)
}

// Relative returns the distance of an instant in the largest unit that it has two of, rounded: in 3 days, in 24 hours,
// 5 minutes ago, now. The script has the same rule.
func Relative(now, at time.Time) string {
	distance := at.Sub(now)
	size := distance.Abs()
	for _, unit := range []struct {
		name string
		size time.Duration
	}{
		{"year", 365 * 24 * time.Hour}, {"month", 30 * 24 * time.Hour}, {"day", 24 * time.Hour}, {"hour", time.Hour},
		{"minute", time.Minute}, {"second", time.Second},
	} {
		if size < 2*unit.size && unit.size > time.Second {
			continue
		}
		n := int64(size.Round(unit.size) / unit.size)
		if n == 0 {
			break
		}
		text := count(n, unit.name)
		if distance > 0 {
			return "in " + text
		}
		return text + " ago"
	}
	return "now"
}

// count returns a number with its noun: 1 key, 2 keys, 1,234 keys.
func count(n any, noun string) string {
	text := fmt.Sprint(n)
	if text == "1" {
		return "1 " + noun
	}
	if number, err := strconv.ParseInt(text, 10, 64); err == nil {
		text = Grouped(number)
	}
	return text + " " + noun + "s"
}

// Grouped returns a number with commas between groups of three digits.
func Grouped(n int64) string {
	if n == math.MinInt64 {
		return "-9,223,372,036,854,775,808"
	}
	if n < 0 {
		return "-" + Grouped(-n)
	}
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
