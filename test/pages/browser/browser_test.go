package browser_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/test/pages/browser"
)

const policy = "default-src 'none'; img-src data:; style-src 'self'; script-src 'self'; form-action 'self'"

// types are the content types of files.
var types = map[string]string{".js": "text/javascript", ".css": "text/css", "": "text/html; charset=utf-8"}

// serve serves documents and files below their paths, with a strict policy.
func serve(t *testing.T, files map[string]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, found := files[r.URL.Path]
		if !found {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", types[path.Ext(r.URL.Path)])
		w.Header().Set("Content-Security-Policy", policy)
		if path.Ext(r.URL.Path) == "" {
			text = fmt.Sprintf(document, strings.ReplaceAll(text, "NAME", r.FormValue("name")))
		}
		fmt.Fprint(w, text)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

const document = `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Test</title>
<link rel="stylesheet" href="/style.css"><main><h1>Test</h1>%s</main></html>`

// The kit has to be able to fail.
func TestPage_RecordsProblems(t *testing.T) {
	b := browser.Start(t)
	for _, c := range []struct {
		name, document, script string
		// want is a part of the only problem. Empty: the page has no problem.
		want string
		// withoutScript is what it is where scripts are off.
		withoutScript string
	}{
		{name: "nothing"},
		{
			name: "inline style", document: `<p style="color: red">red</p>`,
			want: "Content-Security-Policy: style-src", withoutScript: "Content-Security-Policy: style-src",
		},
		{name: "inline script", document: `<script>void 0</script>`, want: "Content-Security-Policy: script-src"},
		{
			name: "inline handler", document: `<button onclick="void 0">A button</button>`,
			want: "inline handler: button onclick", withoutScript: "inline handler: button onclick",
		},
		{name: "console", script: `console.error("broken", 7)`, want: `console.error: [broken 7]`},
		{name: "exception", script: `null.x`, want: "uncaught exception"},
		{name: "dialog", script: `alert("hello")`, want: "a script opened a dialog: hello"},
		{
			name: "missing file", document: `<link rel="stylesheet" href="absent.css">`,
			want: "absent.css", withoutScript: "absent.css",
		},
		{name: "generated key", script: `console.error("ak_` + strings.Repeat("x", 46) + `")`, want: "(a key)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := serve(t, map[string]string{
				"/": c.document + `<script src="/s.js"></script>`, "/s.js": c.script, "/style.css": "",
			})
			for _, noScript := range []bool{false, true} {
				p := b.Page(t, browser.Look{NoScript: noScript})
				p.Open(url)
				want := c.want
				if noScript {
					want = c.withoutScript
				}
				expectOne(t, p.Problems(), want)
			}
		})
	}
	t.Run("another host", func(t *testing.T) {
		other := serve(t, map[string]string{"/": "", "/style.css": ""})
		url := serve(t, map[string]string{"/": `<a href="` + other + `">Away</a>`, "/style.css": ""})
		p := b.Page(t, browser.Look{})
		p.Open(url)
		expectOne(t, p.Problems(), "")
		p.Follow("link", "Away")
		expectOne(t, p.Problems(), "request to another host")
	})
}

func expectOne(t *testing.T, problems []string, want string) {
	t.Helper()
	if want == "" && len(problems) > 0 || want != "" && !slices.ContainsFunc(problems, func(problem string) bool {
		return strings.Contains(problem, want)
	}) {
		t.Errorf("recorded %q, want %q", problems, want)
	}
}

// failing is a test that takes note of its failure.
type failing struct {
	testing.TB
	errors   []any
	cleanups []func()
}

func (f *failing) Error(args ...any)   { f.errors = append(f.errors, args...) }
func (f *failing) Cleanup(undo func()) { f.cleanups = append(f.cleanups, undo) }

func TestPage_FailsTheTestThatSawAProblem(t *testing.T) {
	url := serve(t, map[string]string{"/": `<p style="color: red">red</p>`})
	f := &failing{TB: t}
	browser.Start(t).Page(f, browser.Look{}).Open(url)
	for _, undo := range f.cleanups {
		undo()
	}
	if len(f.errors) == 0 {
		t.Error("the test passed")
	}
}

func TestAxe(t *testing.T) {
	b := browser.Start(t)
	const style = `.small { all: unset; display: block; width: 9px; height: 9px; overflow: hidden }
		@media (prefers-color-scheme: dark) { p { color: #444; background: #333 } }
		@media (forced-colors: active) { button { forced-color-adjust: none; color: #444; background: #333 } }
		@media (width < 400px) { a { color: #eee; background: #fff } }`
	for _, c := range []struct {
		name, document string
		look           browser.Look
		want           string
	}{
		{name: "without fault", document: `<p>Text</p><button>Push</button><p>A <a href="/">link</a></p>`},
		{name: "image without text", document: `<img src="data:," alt><img src="data:,">`, want: "axe image-alt"},
		{name: "field without label", document: `<input>`, want: "axe label"},
		{
			name: "colors of the dark theme", look: browser.Look{Dark: true}, document: `<p>Text</p>`,
			want: "axe color-contrast",
		},
		{
			name: "forced colors", look: browser.Look{ForcedColors: true}, document: `<button>Push</button>`,
			want: "axe color-contrast",
		},
		{
			name: "320 px", look: browser.Look{Width: 320}, document: `<a href="/">Here</a>`,
			want: "axe color-contrast",
		},
		{
			name: "small targets", document: `<button class="small">a</button><button class="small">b</button>`,
			want: "axe target-size",
		},
		{name: "scripts off", look: browser.Look{NoScript: true}, document: `<input>`, want: "axe label"},
		{name: "best practice", document: `<h4>Far below</h4>`, want: "axe heading-order"},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := serve(t, map[string]string{"/": c.document, "/style.css": style})
			p := b.Page(t, c.look)
			p.Open(url)
			faults := p.Axe()
			p.Problems()
			expectOne(t, faults, c.want)
		})
	}
}

func TestLayout(t *testing.T) {
	b := browser.Start(t)
	const style = `.wide { width: 400px } .box { overflow-x: auto } .low { padding: 0; height: 20px; min-width: 60px }
		.button { display: inline-flex; min-height: 24px } p > .button { display: inline-block }`
	for _, c := range []struct {
		name, document string
		overflows      bool
		small          bool
		overruled      bool
	}{
		{name: "narrow", document: `<p>Text</p>`},
		{name: "wide", document: `<p class="wide">Text</p>`, overflows: true},
		{name: "wide in a box", document: `<div class="box"><p class="wide">Text</p></div>`},
		{name: "low button", document: `<button class="low">Push</button>`, small: true},
		{name: "link in a sentence", document: `<p>See <a href="/">here</a>.</p>`},
		{name: "link alone", document: `<p><a href="/">Here</a></p>`, small: true},
		{name: "component", document: `<a class="button" href="/">Here</a>`},
		{name: "overruled component", document: `<p><a class="button" href="/">Here</a></p>`, overruled: true},
		{name: "hidden", document: `<button hidden class="low">Push</button>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := b.Page(t, browser.Look{Width: 320})
			p.Open(serve(t, map[string]string{"/": c.document, "/style.css": style}))
			if got := p.Overflow(); len(got) > 0 != c.overflows {
				t.Errorf("Overflow: %q", got)
			}
			if got := p.SmallTargets(); len(got) > 0 != c.small {
				t.Errorf("SmallTargets: %q", got)
			}
			if got := p.Overruled(); len(got) > 0 != c.overruled {
				t.Errorf("Overruled: %q", got)
			}
		})
	}
}

func TestFocusFaults(t *testing.T) {
	const style = `.bare:focus { outline: none } .top { position: fixed; inset: 0; background: #fff }`
	b := browser.Start(t)
	for _, c := range []struct{ name, document, want string }{
		{"visible", `<button>Push</button><a href="/">Here</a>`, ""},
		{"no outline", `<button>Push</button><button class="bare">Hidden</button>`, "the focus is not visible: <button class"},
		{"covered", `<button>Push</button><div class="top"></div>`, "the focused element is covered: <button>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := b.Page(t, browser.Look{})
			p.Open(serve(t, map[string]string{"/": c.document, "/style.css": style}))
			expectOne(t, p.FocusFaults(), c.want)
		})
	}
}

func TestActions(t *testing.T) {
	b := browser.Start(t)
	const form = `<form action="/got"><label>Name <input name="name" value="old"></label>
		<label><input type="checkbox" name="on"> On</label>
		<label>Size <select name="size"><option>small<option>large</select></label>
		<button>Send</button> <button name="as" value="b" disabled id="late">Late</button></form>
		<table><tr><th scope="row">a</th><td><button formaction="/">Delete</button></td></tr>
		<tr><th scope="row">b</th><td><a href="/b">Delete</a></td></tr></table><script src="/s.js"></script>`
	url := serve(t, map[string]string{
		"/":          form,
		"/got":       "Got NAME",
		"/b":         "That is b",
		"/style.css": "",
		"/s.js": `let frames = 0; const wait = () => ++frames < 20 ? requestAnimationFrame(wait) : late.disabled = false;
			requestAnimationFrame(wait);`,
	})
	for _, noScript := range []bool{false, true} {
		t.Run(fmt.Sprintf("without script %t", noScript), func(t *testing.T) {
			p := b.Page(t, browser.Look{NoScript: noScript})
			p.Open(url)
			p.Fill("Name", "Ada <b>&")
			p.Check("On", true)
			p.Choose("Size", "large")
			if got := p.Value("combobox", "Size"); got != "large" {
				t.Errorf("chosen: %q", got)
			}
			p.Follow("button", "Send")
			p.Shows("Got Ada")
			if want := url + "/got?name=Ada+%3Cb%3E%26&on=on&size=large"; p.URL() != want {
				t.Errorf("went to %s, want %s", p.URL(), want)
			}
			p.Back()
			p.Row("b").Follow("link", "Delete")
			p.Shows("That is b")
			p.HasNo("button", "Send")
		})
	}
	t.Run("two clicks in a row", func(t *testing.T) {
		p := b.Page(t, browser.Look{})
		p.Open(url)
		p.Fill("Name", "Ada")
		p.FollowTwice("button", "Send")
		p.Shows("Got Ada")
	})
	t.Run("a button that is enabled later is waited for", func(t *testing.T) {
		p := b.Page(t, browser.Look{})
		p.Open(url)
		p.Follow("button", "Late")
		if !strings.Contains(p.URL(), "as=b") {
			t.Errorf("went to %s", p.URL())
		}
	})
}
