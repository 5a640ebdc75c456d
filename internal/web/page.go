package web

import (
	"bytes"
	"log/slog"
	"net/http"
	"time"

	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage/apikeys"
)

// API is what all pages have in common.
var API = &httpapi.API{Name: "pages", Prefix: "/", Refuse: refuse, Unmatched: unmatched, RefusesForGate: true}

// policy is the Content-Security-Policy of every page.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// Section is an entry of the navigation.
type Section string

// Sections, by the paths of their pages.
const (
	Overview Section = "/"
	Keys     Section = "/keys"
	Users    Section = "/users"
	Claims   Section = "/claims"
	Usage    Section = "/usage"
	Audit    Section = "/audit"
	Settings Section = "/settings"
)

// Page is one page.
type Page struct {
	Title string
	// Section is empty for a page that the navigation does not name.
	Section Section
	View    *View
	// Data is for the template, as .Data.
	Data any
	// Status is 200 if it is 0.
	Status int
}

// Frame is what a template gets.
type Frame struct {
	Title   string
	Section Section
	Caller  Person
	Links   []Link
	// Notice reports a change that has been made. It may be empty.
	Notice string
	// Path is the path and the query of this page.
	Path string
	Now  time.Time
	Data any
}

// Person is the caller as pages show it. The zero Person is anonymous.
type Person struct {
	Name string
	// Admin is as GET /api/auth/me reports it.
	Admin bool
	// SignedIn is true for a session, and Proven for every caller whose identity is proven.
	SignedIn, Proven bool
}

// Link is an entry of the navigation.
type Link struct {
	Section    Section
	Icon, Text string
	Current    bool
}

// Path returns where the entry leads.
func (l Link) Path() string { return string(l.Section) }

func personOf(c *gate.Caller) Person {
	name := c.Username
	if name == "" {
		name = c.Subject
	}
	return Person{
		Name: name, Admin: c.Admin, SignedIn: c.Credential == gate.CredentialSession, Proven: c.IsProven(),
	}
}

// linksFor returns the navigation of a caller: only pages that the caller may open.
func linksFor(p Person, mayReadKeys bool, current Section) (links []Link) {
	add := func(s Section, icon, text string) {
		links = append(links, Link{Section: s, Icon: icon, Text: text, Current: s == current})
	}
	if p.Name == "" {
		return nil
	}
	add(Overview, "layout-dashboard", "Overview")
	if !p.Admin {
		if mayReadKeys {
			add(Keys, "key-round", "My keys")
		}
		return links
	}
	add(Keys, "key-round", "API keys")
	add(Users, "users", "Users")
	add(Claims, "link", "Claim links")
	add(Usage, "chart-column", "Token usage")
	add(Audit, "scroll-text", "Audit")
	add(Settings, "settings", "Settings")
	return links
}

// Render writes a page for the caller of c.
func Render(c *httpapi.Call, p Page) {
	f := Frame{
		Title: p.Title, Section: p.Section, Caller: personOf(&c.Caller), Path: addressOf(c.R), Now: c.Gate.Now(),
		Data: p.Data,
	}
	f.Links = linksFor(f.Caller, apikeys.MayRead(c.Gate, c.Manager()), p.Section)
	f.Notice = takeNotice(c)
	write(c.W, c.R, p.View, &f, p.Status, c.Log)
}

// write renders the whole page before it sends anything, so that a fault of a template is a 500 and not half a page.
func write(w http.ResponseWriter, r *http.Request, v *View, f *Frame, status int, log *slog.Logger) {
	var page bytes.Buffer
	if err := v.execute(&page, f); err != nil {
		log.ErrorContext(r.Context(), "A page could not be rendered", "path", r.URL.Path, "error", err.Error())
		http.Error(w, "This page could not be rendered. The server's log says why.", http.StatusInternalServerError)
		return
	}
	if status == 0 {
		status = http.StatusOK
	}
	setHeaders(w.Header())
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}

// setHeaders sets the headers of every page. No page may be stored: some show a key.
func setHeaders(header http.Header) {
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", policy)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
}
