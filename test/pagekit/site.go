package pagekit

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/test/fakeobjects"
)

// Site serves pages to browsers of several callers.
type Site struct {
	*fakeobjects.Fixture
	http.Handler
	// Down is the error of the database, or nil.
	Down error
}

// New serves groups of pages, with the objects of a fixture.
func New(f *fakeobjects.Fixture, groups ...httpapi.Group) *Site {
	s := &Site{Fixture: f}
	mux := http.NewServeMux()
	httpapi.Mount(mux, &httpapi.Guard{Gate: f.Gate, Sessions: s, Database: s, Log: f.Logger()}, groups...)
	s.Handler = mux
	return s
}

// Touch implements httpapi.SessionRenewer.
func (*Site) Touch(context.Context, string) bool { return false }

// Err implements httpapi.Database.
func (s *Site) Err() error { return s.Down }

// As changes a request so that it has a caller.
type As func(*http.Request)

// Callers.
var (
	Anonymous As = func(*http.Request) {}
	// Alice is an admin with a session.
	Alice As = func(r *http.Request) { r.Header.Add("Cookie", "keywright_session="+fakeobjects.AliceSession) }
	// Bootstrap has the bootstrap key.
	Bootstrap = WithKey(fakeobjects.BootstrapKey)
)

// WithKey sends a key with the request.
func WithKey(key string) As { return func(r *http.Request) { r.Header.Set("X-API-Key", key) } }

// Named sends a saved name.
func Named(name string) As {
	return func(r *http.Request) { r.Header.Add("Cookie", "keywright_user="+url.PathEscape(name)) }
}

// Reply is a reply and its HTML.
type Reply struct {
	*httptest.ResponseRecorder
	*goquery.Document
}

// Get asks for a page as a browser does.
func (s *Site) Get(tb testing.TB, as As, path string) *Reply {
	tb.Helper()
	return s.Do(tb, as, httptest.NewRequest(http.MethodGet, path, nil))
}

// Post sends a form as a browser does. The fields are names and values in turn.
func (s *Site) Post(tb testing.TB, as As, path string, fields ...string) *Reply {
	tb.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return s.Do(tb, as, r)
}

// Do sends a request as a browser does.
func (s *Site) Do(tb testing.TB, as As, r *http.Request) *Reply {
	tb.Helper()
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	as(r)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	document, err := goquery.NewDocumentFromReader(strings.NewReader(w.Body.String()))
	if err != nil {
		tb.Fatal(err)
	}
	return &Reply{w, document}
}

// Has checks the status of a page, and that the texts are on it.
func (r *Reply) Has(tb testing.TB, status int, texts ...string) {
	tb.Helper()
	if r.Code != status {
		tb.Errorf("status %d instead of %d: %s", r.Code, status, r.Main())
	}
	main := r.Main()
	for _, text := range texts {
		if !strings.Contains(main, text) {
			tb.Errorf("the page does not say %q: %s", text, main)
		}
	}
}

// Main returns the text of the page without the layout, with single blanks.
func (r *Reply) Main() string {
	return strings.Join(strings.Fields(r.Find("main").Text()), " ")
}

// Value returns the value of an input by its name.
func (r *Reply) Value(name string) string {
	return r.Find(`[name="`+name+`"]`).AttrOr("value", "")
}

// Leads checks that the reply leads to another page.
func (r *Reply) Leads(tb testing.TB, to string) {
	tb.Helper()
	if got := r.Header().Get("Location"); r.Code != http.StatusSeeOther || got != to {
		tb.Errorf("%d to %q instead of a redirect to %q: %s", r.Code, got, to, r.Main())
	}
}
