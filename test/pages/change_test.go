package pages

import (
	"net/http"
	"strings"

	"keywright.dev/keywright/test/pages/browser"
)

// change makes a change that a page offers: in a dialog, and without scripts on a page of its own. confirm is what has
// to be typed, or empty.
func (f *flow) change(p *browser.Page, title, button, confirm string) {
	f.Helper()
	form := f.opened(p, title)
	if confirm != "" {
		form.Follow("button", button)
		f.status(p, http.StatusBadRequest)
		p.Shows("exactly as it is written")
		form = p.Main()
		form.Fill("Type "+confirm+" to confirm", confirm)
	}
	form.Follow("button", button)
}

// opened opens the form of a change.
func (f *flow) opened(p *browser.Page, title string) *browser.Part {
	f.Helper()
	if f.noScript {
		p.Main().Follow("link", title)
		f.clean(p)
		return p.Main()
	}
	p.Main().Click("link", title)
	dialog := p.Dialog(title)
	dialog.Has("heading", title)
	f.clean(p)
	return dialog
}

// newKey makes a change that shows a new key, which it returns.
func (f *flow) newKey(p *browser.Page, title, button string) string {
	f.Helper()
	f.change(p, title, button, "")
	f.status(p, http.StatusOK)
	if got := p.Header("Cache-Control"); got != "no-store" {
		f.Errorf("Cache-Control: %s", got)
	}
	f.clean(p)
	key := p.Secret()
	p.Follow("link", "I have saved it")
	f.hides(p, key)
	return key
}

// shownOnce leaves the page that shows a key, and expects it on neither the next nor the previous one.
func (f *flow) shownOnce(p *browser.Page, key, next string) {
	f.Helper()
	p.Shows("Save this key now")
	p.Follow("link", "I have saved it")
	f.at(p, next)
	f.hides(p, key)
	p.Reload()
	f.hides(p, key)
}

// hides fails if a page has a key in it.
func (f *flow) hides(p *browser.Page, key string) {
	f.Helper()
	if strings.Contains(p.HTML(), key) {
		f.Errorf("%s shows the key again", p.URL())
	}
}

// forged sends the form of a change that the page does not offer, as a page that is out of date would.
func (f *flow) forged(p *browser.Page, path, button, confirm string) {
	f.Helper()
	p.Open(f.ServerURL + path)
	main := p.Main()
	if strings.Contains(main.Text(), "to confirm") {
		main.Fill("Type "+confirm+" to confirm", confirm)
	}
	main.Follow("button", button)
}

// clean fails for every fault of a page as it is now.
func (f *flow) clean(p *browser.Page) {
	f.Helper()
	for _, fault := range p.Axe() {
		f.Errorf("%s: %s", p.URL(), fault)
	}
}
