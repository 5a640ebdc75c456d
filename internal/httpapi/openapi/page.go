package openapi

import (
	"bytes"
	_ "embed" // for the page
	"html/template"
	"net/http"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// shown is an operation as the page shows it.
type shown struct {
	operation
	Params    []parameter
	Request   string
	Responses []response
}

type response struct {
	Status, Description, Outline string
}

// page renders the page.
func page(text []byte) ([]byte, error) {
	r, err := read(text)
	if err != nil {
		return nil, err
	}
	funcs := template.FuncMap{
		"text": text2html, "shown": r.show, "type": func(n yaml.Node) string { return r.outline(&n, "") },
	}
	parsed, err := template.New("page").Funcs(funcs).Parse(pageHTML)
	if err != nil {
		return nil, err
	}
	for i := range r.Tags {
		t := &r.Tags[i]
		for _, o := range r.operations {
			if slices.Contains(o.Tags, t.Name) {
				t.Operations = append(t.Operations, o)
			}
		}
	}
	var out bytes.Buffer
	css := template.CSS(pageCSS) //nolint:gosec // our own file
	err = parsed.Execute(&out, map[string]any{"D": r.description, "CSS": css})
	return out.Bytes(), err
}

func (r *reader) show(o operation) (shown, error) {
	s := shown{operation: o}
	for i := range o.Parameters {
		var p parameter
		if err := r.follow(&o.Parameters[i]).Decode(&p); err != nil {
			return s, err
		}
		s.Params = append(s.Params, p)
	}
	s.Request = r.content(&o.RequestBody)
	for status, node := range pairs(&o.Responses) {
		s.Responses = append(s.Responses, response{status, child(r.follow(node), "description").Value, r.content(node)})
	}
	return s, nil
}

// content returns the outline of a body of any media type.
func (r *reader) content(node *yaml.Node) string {
	for _, media := range pairs(child(r.follow(node), "content")) {
		return r.outline(child(media, "schema"), "")
	}
	return ""
}

// text2html renders paragraphs and code, the only Markdown in the document.
func text2html(markdown string) template.HTML {
	var out strings.Builder
	for paragraph := range strings.SplitSeq(strings.TrimSpace(markdown), "\n\n") {
		out.WriteString("<p>")
		for i, part := range strings.Split(paragraph, "`") {
			escaped := template.HTMLEscapeString(part)
			if i%2 == 1 {
				escaped = "<code>" + escaped + "</code>"
			}
			out.WriteString(escaped)
		}
		out.WriteString("</p>\n")
	}
	return template.HTML(out.String()) //nolint:gosec // every part is escaped
}

// New serves the document at /openapi.yaml and the page at /docs. Both are public: they are the same everywhere.
func New() (http.Handler, error) {
	html, err := page(document)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /openapi.yaml", serve("application/yaml", document))
	mux.HandleFunc("GET /docs", serve("text/html; charset=utf-8", html))
	return mux, nil
}

func serve(contentType string, content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		header := w.Header()
		header.Set("Content-Type", contentType)
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-cache")
		_, _ = w.Write(content)
	}
}
