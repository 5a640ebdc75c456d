// Package site starts Keywright with the data of a small company on it, for tests of pages and for the pictures in the
// documentation.
package site

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/test/pages/browser"
	"keywright.dev/keywright/test/pages/sitemap"
	"keywright.dev/keywright/test/stack"
)

// patience is the deadline of everything that is waited for.
const patience = time.Minute

// Site is a running Keywright.
type Site struct {
	*stack.Stack
	// Admin calls the API with the bootstrap key.
	Admin *apiclient.Client
	// Facts are what the addresses of pages are made of.
	Facts sitemap.Facts
	// AliceKey is the key of alice, an admin.
	AliceKey string
}

// settings are those of the company. Its proxy names the users, and where requests come from.
var settings = map[string]string{
	"SECURE_COOKIES":      "false",
	"TRUST_PROXY_HEADERS": "true",
	"TRUSTED_PROXIES":     "127.0.0.1",
	"ALLOWED_USERS":       "alice, Dana.Fox, marta, Account/ci, Account/release, Integration/github",
	"ROUTES": `- {match: "GET /apiv1/users/{user}/certificates", action: certs.read, owner: "{user}"}
- {match: POST /certificates/, action: certs.renew}
- {match: DELETE /certificates/, action: certs.delete}
- {match: GET /packages/, action: packages.read}
- {match: PUT /packages/, action: packages.publish}
- {match: /healthz}
`,
	"PRICES": `- {provider: openai, model: gpt-4o, input: 2.5, output: 10, cache_read: 1.25}
- {provider: openai, model: gpt-4o-mini, input: 0.15, output: 0.6}
- {provider: anthropic, model: claude-sonnet-4, input: 3, output: 15, cache_read: 0.3, cache_write: 3.75}
`,
}

// Start starts Keywright until the test ends. It has no users and no keys but the bootstrap key.
func Start(t testing.TB) *Site {
	t.Helper()
	s, err := stack.Start(t.Context(), stack.Options{Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	site := &Site{Stack: s}
	site.Admin = site.As(t, s.BootstrapKey)
	site.configure(t)
	return site
}

// As returns a client of the API with a key.
func (s *Site) As(t testing.TB, key string) *apiclient.Client {
	t.Helper()
	u, err := url.Parse(s.ServerURL)
	if err != nil {
		t.Fatal(err)
	}
	return &apiclient.Client{URL: u, Key: key}
}

// configure returns when the server knows the actions of the routes.
func (s *Site) configure(t testing.TB) {
	t.Helper()
	err := s.EditConfiguration(t.Context(), func(present map[string]string) map[string]string {
		for name, value := range settings {
			present[name] = value
		}
		return present
	})
	if err != nil {
		t.Fatal(err)
	}
	Await(t, "the server runs the new configuration", func(ctx context.Context) bool {
		catalog, err := s.Admin.Catalog(ctx)
		return err == nil && strings.Contains(strings.Join(catalog.Actions, " "), "packages.publish")
	})
}

// Tab opens a tab for a reader, who is signed in without the form for it.
func (s *Site) Tab(t testing.TB, b *browser.Browser, look browser.Look, reader sitemap.Reader) *browser.Page {
	t.Helper()
	if reader == sitemap.User {
		look.Header = map[string]any{"X-Forwarded-User": "marta"}
	}
	p := b.Page(t, look)
	if reader == sitemap.Admin {
		p.SetCookie(s.ServerURL, credential.SessionCookie, s.session(t, "alice", s.AliceKey))
	}
	return p
}

// session returns the cookie of a new session.
func (s *Site) session(t testing.TB, username, key string) string {
	t.Helper()
	reply, err := s.Admin.Do(t.Context(), &apiclient.Request{
		Method: http.MethodPost, Path: "/api/auth/login",
		Body: map[string]string{"username": username, "api_key": key},
	})
	must(t, err)
	cookies := (&http.Response{Header: reply.Header}).Cookies()
	i := slices.IndexFunc(cookies, func(c *http.Cookie) bool { return c.Name == credential.SessionCookie })
	if i < 0 {
		t.Fatal("login sent no session")
	}
	return cookies[i].Value
}

// Await polls until something holds.
func Await(t testing.TB, what string, holds func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !holds(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("within %s: %s", patience, what)
		}
	}
}
