package pages

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/web"
	"keywright.dev/keywright/test/pages/browser"
	"keywright.dev/keywright/test/pages/site"
	"keywright.dev/keywright/test/pages/sitemap"
)

// looks are those in which no page may have a fault.
var looks = []struct {
	name string
	browser.Look
}{
	{"light", browser.Look{}},
	{"dark", browser.Look{Dark: true}},
	{"320 px", browser.Look{Width: 320, Height: 640}},
	{"320 px, dark", browser.Look{Width: 320, Height: 640, Dark: true}},
	{"forced colors", browser.Look{ForcedColors: true}},
	{"without scripts", browser.Look{NoScript: true}},
}

// policy is what every page sends. A page that needs more is a mistake.
var policy = []string{
	"default-src 'none'", "style-src 'self'", "script-src 'self'", "img-src 'self'", "connect-src 'self'",
	"form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
	"trusted-types 'none'",
}

func everyPage(t *testing.T, b *browser.Browser, s *site.Site) {
	for _, look := range looks {
		t.Run(look.name, func(t *testing.T) {
			tabs := map[sitemap.Reader]*browser.Page{}
			for _, reader := range []sitemap.Reader{sitemap.Admin, sitemap.User, sitemap.Anonymous} {
				tabs[reader] = s.Tab(t, b, look.Look, reader)
			}
			for _, page := range sitemap.Pages() {
				t.Run(page.Name, func(t *testing.T) {
					p := tabs[page.Reader]
					p.Open(s.ServerURL + page.Address(s.Facts))
					report(t, p, page)
				})
			}
		})
	}
}

// report fails for every fault of a page.
func report(t *testing.T, p *browser.Page, page sitemap.Page) {
	t.Helper()
	want := page.Status
	if want == 0 {
		want = http.StatusOK
	}
	if got := p.Status(); got != int64(want) {
		t.Errorf("status %d, want %d", got, want)
	}
	faults := slices.Concat(p.Axe(), p.Overflow(), p.SmallTargets(), p.Overruled(), p.FocusFaults(), p.Problems())
	if !page.Plain {
		faults = append(faults, headerFaults(p)...)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}

func headerFaults(p *browser.Page) (faults []string) {
	sent := strings.Split(p.Header("Content-Security-Policy"), "; ")
	slices.Sort(sent)
	if want := slices.Sorted(slices.Values(policy)); !slices.Equal(sent, want) {
		faults = append(faults, "Content-Security-Policy: "+strings.Join(sent, "; "))
	}
	for header, want := range map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Type": "text/html; charset=utf-8",
	} {
		if got := p.Header(header); got != want {
			faults = append(faults, header+": "+got)
		}
	}
	return faults
}

// leadToSignIn asks for every page without a caller (docs/compatibility.md, "Pages").
func leadToSignIn(t *testing.T, s *site.Site) {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, page := range sitemap.Pages() {
		if page.Reader == sitemap.Anonymous || page.Route == "" || page.Route == web.Register {
			continue
		}
		for accept, want := range map[string]int{"text/html,*/*": http.StatusSeeOther, "*/*": http.StatusUnauthorized} {
			address := page.Address(s.Facts)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.ServerURL+address, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept", accept)
			reply, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = reply.Body.Close()
			if to := reply.Header.Get("Location"); reply.StatusCode != want ||
				want == http.StatusSeeOther && to != web.RegisterPath(address) {
				t.Errorf("%s with Accept %s: %d to %q", address, accept, reply.StatusCode, to)
			}
		}
	}
}
