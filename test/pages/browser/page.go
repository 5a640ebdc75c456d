package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"keywright.dev/keywright/internal/key/keyformat"
)

// Page is the document in a tab. Its methods wait for what they need, and end the test if that fails.
type Page struct{ Part }

// tab is a tab of the browser.
type tab struct {
	t   testing.TB
	ctx context.Context
	// target is the tab's connection.
	target *chromedp.Target
	look   Look
	axe    string
	seen   *record
}

// Page opens an empty tab in a context of its own: no cookie and no storage is shared with another. The test fails if
// the tab recorded a problem.
func (b *Browser) Page(t testing.TB, look Look) *Page {
	t.Helper()
	return open(b.ctx, t, look, b.axe, chromedp.WithNewBrowserContext())
}

// Tab opens another tab with the cookies of this one.
func (p *Page) Tab() *Page {
	p.t.Helper()
	return open(p.ctx, p.t, p.look, p.axe)
}

func open(parent context.Context, t testing.TB, look Look, axe string, options ...chromedp.ContextOption) *Page {
	t.Helper()
	p := &Page{Part{tab: &tab{t: t, look: look.complete(), axe: axe, seen: &record{}}}}
	var closeTab context.CancelFunc
	p.ctx, closeTab = chromedp.NewContext(parent, options...)
	err := chromedp.Do(p.ctx, func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		p.target = target
		return chromedp.Void{}, p.look.apply(ctx, target)
	})
	if err == nil {
		err = chromedp.Listen(p.ctx, p.notice)
	}
	if err != nil {
		closeTab()
		t.Fatalf("open a tab: %v", err)
	}
	t.Cleanup(func() {
		problems := p.Problems()
		closeTab()
		for _, problem := range problems {
			t.Error(problem)
		}
	})
	return p
}

// Problems returns what was recorded since the last call, and clears it.
func (p *Page) Problems() []string {
	// Events that precede the reply to a command are recorded before that command returns.
	_, _ = p.evaluate("0", false)
	return p.seen.take()
}

// Open goes to an address, and returns when the document is loaded.
func (p *Page) Open(url string) {
	p.t.Helper()
	p.follow("open "+url, func() error {
		reply, err := cdp.Call(p.ctx, p.target, cdppage.Navigate, cdppage.NavigateParams{URL: url})
		if err == nil && reply.ErrorText != "" {
			err = fmt.Errorf("%s", reply.ErrorText)
		}
		return err
	})
}

// Reload loads the document again. What a form sent is sent again.
func (p *Page) Reload() {
	p.t.Helper()
	p.follow("reload", func() error {
		_, err := cdp.Call(p.ctx, p.target, cdppage.Reload, cdppage.ReloadParams{})
		return err
	})
}

// Back goes back to the previous document.
func (p *Page) Back() {
	p.t.Helper()
	history, err := cdp.Call(p.ctx, p.target, cdppage.GetNavigationHistory, cdp.Empty{})
	p.must("read the history", err)
	if history.CurrentIndex == 0 {
		p.fatalf("the history is empty")
	}
	entry := history.Entries[history.CurrentIndex-1].ID
	p.follow("go back", func() error {
		params := cdppage.NavigateToHistoryEntryParams{EntryID: entry}
		_, err := cdp.Call(p.ctx, p.target, cdppage.NavigateToHistoryEntry, params)
		return err
	})
}

// follow does what leads to another document, and returns when that is loaded.
func (p *tab) follow(what string, act func() error) {
	p.t.Helper()
	loads := p.seen.loads()
	p.must(what, act())
	p.until(what, func() error {
		if p.seen.loads() == loads {
			return fmt.Errorf("no document was loaded")
		}
		return nil
	})
	p.recordHandlers()
}

// handlers are the attributes of the document that a policy without unsafe-inline blocks.
const handlers = `[...document.querySelectorAll("*")].flatMap(e =>
	e.getAttributeNames().filter(n => n.startsWith("on")).map(n => e.localName + " " + n))`

// recordHandlers records inline handlers. Not every version of Chromium reports them when a document is loaded. One
// that is replaced meanwhile has no answer.
func (p *tab) recordHandlers() {
	var found []string
	text, err := p.evaluate(handlers, false)
	if err != nil || json.Unmarshal(text, &found) != nil {
		return
	}
	p.seen.mu.Lock()
	defer p.seen.mu.Unlock()
	for _, handler := range found {
		p.seen.problem("inline handler: %s", handler)
	}
}

// URL returns the address of the document, and Status the status of the reply that had it.
func (p *Page) URL() string {
	p.t.Helper()
	return decode[string](p.tab, "location.href")
}

// Status returns the HTTP status of the document.
func (p *Page) Status() int64 { return p.seen.document().Status }

// Header returns a header of the document, or an empty string.
func (p *Page) Header(name string) string {
	for header, value := range p.seen.document().Headers {
		if strings.EqualFold(header, name) {
			return fmt.Sprint(value)
		}
	}
	return ""
}

// until calls try until it succeeds.
func (p *tab) until(what string, try func() error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.fatalf("%s: %v", what, err)
		}
	}
}

func (p *tab) must(what string, err error) {
	p.t.Helper()
	if err != nil {
		p.fatalf("%s: %v", what, err)
	}
}

// fatalf ends the test with what the page shows. Keys in it are hidden.
func (p *tab) fatalf(format string, args ...any) {
	p.t.Helper()
	url, _ := p.evaluate("location.href", false)
	text, _ := p.evaluate("document.body?.innerText.slice(0, 3000)", false)
	report := fmt.Sprintf(format, args...) + fmt.Sprintf("\non %s, which shows:\n%s", url, unquote(text))
	p.t.Fatal(keyformat.Hide(report, func(string) bool { return false }))
}

// Cookie returns the value of a cookie that the document's host set, or an empty string.
func (p *Page) Cookie(name string) string {
	p.t.Helper()
	reply, err := cdp.Call(p.ctx, p.target, network.GetCookies, network.GetCookiesParams{})
	p.must("read the cookies", err)
	for _, cookie := range reply.Cookies {
		if cookie.Name == name {
			return cookie.Value
		}
	}
	return ""
}

// SetCookie sets a cookie for the host of an address.
func (p *Page) SetCookie(url, name, value string) {
	p.t.Helper()
	_, err := cdp.Call(p.ctx, p.target, network.SetCookie, network.SetCookieParams{
		URL: url, Name: name, Value: value, HTTPOnly: new(true), SameSite: network.CookieSameSiteStrict,
	})
	p.must("set a cookie", err)
}
