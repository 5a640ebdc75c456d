package pages

import (
	"fmt"
	"testing"

	"keywright.dev/keywright/test/pages/browser"
	"keywright.dev/keywright/test/pages/site"
)

// flow is what people do one after the other, each in a browser of their own, with scripts or without.
type flow struct {
	*testing.T
	*site.Site
	browser  *browser.Browser
	noScript bool
	// mark ends the names of users and keys of this flow, which others on the same server do not have.
	mark string
}

// flows are played with scripts and without.
var flows = []struct {
	name string
	play func(*flow)
}{
	{"sign in, sign out, and go back", signInAndOut},
	{"a refused sign-in keeps the name", refusedSignIn},
	{"a session that ended in the middle", endedSession},
	{"a name without a key", savedName},
	{"users of the company's proxy", proxyUser},
	{"an admin is made, rotated, demoted and deleted", adminLifecycle},
	{"a seen user becomes an admin", seenUser},
	{"one's own account", ownAccount},
	{"refused names", refusedNames},
	{"filters of users", usersFilters},
	{"changes of a key", keyChanges},
	{"a rotation of a key that was rotated meanwhile", staleRotation},
	{"may it", mayIt},
	{"the keys of a plain user", ownKeys},
	{"a key is made with the form", createKey},
	{"a form that is sent twice", sentTwice},
	{"a form as YAML", shownAsYAML},
	{"a refused form for a key", refusedKey},
	{"a claim link", claimLink},
	{"a withdrawn claim link", withdrawnLink},
}

func playFlows(t *testing.T, b *browser.Browser, s *site.Site) {
	for _, f := range flows {
		t.Run(f.name, func(t *testing.T) { playFlow(t, b, s, f.play) })
	}
}

func playFlow(t *testing.T, b *browser.Browser, s *site.Site, play func(*flow)) {
	t.Run("with scripts", func(t *testing.T) { play(&flow{t, s, b, false, "-js"}) })
	t.Run("without scripts", func(t *testing.T) { play(&flow{t, s, b, true, "-plain"}) })
}

// person returns the window of an anonymous caller with an address of its own: failed sign-ins are counted by address.
func (f *flow) person() *browser.Page {
	f.Helper()
	people++
	from := map[string]any{"X-Forwarded-For": fmt.Sprintf("198.51.100.%d", people)}
	return f.browser.Page(f.T, browser.Look{NoScript: f.noScript, Header: from})
}

// people counts those of all flows.
var people int

// behindProxy returns a window whose requests come through a proxy that names the user.
func (f *flow) behindProxy(name string) *browser.Page {
	f.Helper()
	look := browser.Look{NoScript: f.noScript, Header: map[string]any{"X-Forwarded-User": name}}
	return f.browser.Page(f.T, look)
}

// signedIn returns the window of a user who signed in with the form.
func (f *flow) signedIn(name, key string) *browser.Page {
	f.Helper()
	p := f.person()
	f.signIn(p, name, key)
	p.Shows("You are signed in.")
	return p
}

// signIn sends the form of /register.
func (f *flow) signIn(p *browser.Page, name, key string) {
	f.Helper()
	p.Open(f.ServerURL + "/register")
	f.fillSignIn(p, name, key)
}

func (f *flow) fillSignIn(p *browser.Page, name, key string) {
	f.Helper()
	p.Fill("Username", name)
	p.Fill("API key (optional)", key)
	p.Follow("button", "Sign in")
}

// at fails unless a page is at a path, with its query.
func (f *flow) at(p *browser.Page, path string) {
	f.Helper()
	if got := p.URL(); got != f.ServerURL+path {
		f.Errorf("at %s, want %s", got, path)
	}
}

// status fails unless a page was sent with this HTTP status.
func (f *flow) status(p *browser.Page, want int64) {
	f.Helper()
	if got := p.Status(); got != want {
		f.Errorf("%s: status %d, want %d", p.URL(), got, want)
	}
}
