package web_test

import (
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
	"time"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/web"
	"keywright.dev/keywright/test/fakeobjects"
	"keywright.dev/keywright/test/pagekit"
)

const rows = `{{range .}}<tr><th scope="row">{{.Name}}</th><td>{{.Prefix}}</td><td>{{.Subject}}</td></tr>{{end}}`

type benchRow struct{ Name, Prefix, Subject string }

// mostOfBare is how many times the bare template a page may take.
const mostOfBare = 2

// BenchmarkRender compares a request for a page of 50 rows, its caller identified, with the bare execution of a
// template that writes as much.
func BenchmarkRender(b *testing.B) {
	var data []benchRow
	for range 50 {
		data = append(data, benchRow{"reporter & friends", "ak_Ab1", "Account/reporter"})
	}
	page := web.NewView(fstest.MapFS{"a.html": {Data: []byte(`{{define "main"}}<table>{{with .Data}}` + rows +
		`{{end}}</table>{{end}}`)}}, "a.html")
	site := pagekit.New(fakeobjects.NewFixture(b), httpapi.Group{API: web.API, Routes: []httpapi.Route{
		web.Get("/page", func(c *httpapi.Call) { web.Render(c, web.Page{Title: "Keys", View: page, Data: data}) }),
	}})
	ask := func() int {
		r, w := httptest.NewRequest(http.MethodGet, "/page", nil), httptest.NewRecorder()
		pagekit.Alice(r)
		site.ServeHTTP(w, r)
		return w.Body.Len()
	}
	bare := template.Must(template.New("bare").Parse(`<table>{{range .Parts}}<p>{{.}}</p>{{end}}` +
		`{{with .Rows}}` + rows + `{{end}}</table>`))
	size := &counter{}
	content := struct {
		Parts []string
		Rows  []benchRow
	}{Rows: data}
	write := func() {
		size.n = 0
		if err := bare.Execute(size, content); err != nil {
			b.Fatal(err)
		}
	}
	write()
	// The layout adds text of the same size to the bare template.
	for size.n < ask() {
		content.Parts = append(content.Parts, "an entry of the navigation, with an icon and a text")
		write()
	}
	for b.Loop() {
		ours, floor := elapsed(500, func() { ask() }), elapsed(500, write)
		ratio := ours.Seconds() / floor.Seconds()
		b.ReportMetric(ratio, "x-bare")
		b.ReportMetric(ours.Seconds()/500*1e6, "µs/page")
		if ratio > mostOfBare {
			b.Errorf("%.2f times the bare template", ratio)
		}
	}
}

type counter struct{ n int }

func (c *counter) Write(p []byte) (int, error) {
	c.n += len(p)
	return io.Discard.Write(p)
}

func elapsed(times int, do func()) time.Duration {
	begun := time.Now()
	for range times {
		do()
	}
	return time.Since(begun)
}
