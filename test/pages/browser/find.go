package browser

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
)

// Part is the document, or an element in which others are looked for.
type Part struct {
	*tab
	// root finds the element. Nil: the document.
	root func() (cdp.BackendNodeID, error)
}

// Row is the row of a table that has a cell or a row header with this text.
func (p *Page) Row(text string) *Part {
	return p.holder("row", "[role=row], tr", text)
}

// Main is the part of the page that is neither its head nor its navigation.
func (p *Page) Main() *Part {
	return &Part{tab: p.tab, root: func() (cdp.BackendNodeID, error) { return p.find("main", "") }}
}

// Dialog is the open dialog with this name.
func (p *Page) Dialog(name string) *Part {
	return &Part{tab: p.tab, root: func() (cdp.BackendNodeID, error) { return p.find("dialog", name) }}
}

// Region is the section of the page with this name.
func (p *Page) Region(name string) *Part {
	return &Part{tab: p.tab, root: func() (cdp.BackendNodeID, error) { return p.find("region", name) }}
}

// holder is the one element of a selector with a child, or a link in a child, of exactly this text.
func (p *Page) holder(what, selector, text string) *Part {
	const script = `(() => {
		const own = e => e.innerText?.trim() === %[2]s;
		const all = [...document.querySelectorAll(%[1]s)].filter(e =>
			[...e.children].some(c => own(c) || [...c.querySelectorAll("a, code, strong, b, span, bdi")].some(own)));
		if (all.length !== 1) throw new Error(all.length + " of them");
		return all[0];
	})()`
	return &Part{tab: p.tab, root: func() (cdp.BackendNodeID, error) {
		node, err := p.node(fmt.Sprintf(script, quote(selector), quote(text)))
		if err != nil {
			err = fmt.Errorf("%s %q: %w", what, text, err)
		}
		return node, err
	}}
}

// find returns the one element with a role and an accessible name that assistive technology is shown.
func (in *Part) find(role, name string) (cdp.BackendNodeID, error) {
	nodes, err := in.nodes(role, name)
	if err == nil && role == "textbox" && len(nodes) == 0 {
		// A field to search has a role of its own.
		nodes, err = in.nodes("searchbox", name)
	}
	if err != nil {
		return 0, err
	}
	if len(nodes) != 1 {
		return 0, fmt.Errorf("%d elements are %s %q", len(nodes), role, name)
	}
	return nodes[0].BackendDOMNodeID, nil
}

func (in *Part) nodes(role, name string) (shown []*accessibility.Node, err error) {
	params := accessibility.QueryAXTreeParams{AccessibleName: name, Role: role}
	if in.root == nil {
		params.BackendNodeID, err = in.node("document")
	} else {
		params.BackendNodeID, err = in.root()
	}
	if err != nil {
		return nil, err
	}
	reply, err := cdp.Call(in.ctx, in.target, accessibility.QueryAXTree, params)
	for _, node := range reply.Nodes {
		if !node.Ignored && node.BackendDOMNodeID != 0 {
			shown = append(shown, node)
		}
	}
	return shown, err
}

// node returns the DOM node that is the value of an expression.
func (p *tab) node(expression string) (cdp.BackendNodeID, error) {
	context, err := p.world()
	if err != nil {
		return 0, err
	}
	object, err := p.object(expression, context)
	if err != nil {
		return 0, err
	}
	reply, err := cdp.Call(p.ctx, p.target, dom.DescribeNode, dom.DescribeNodeParams{ObjectID: object})
	if err != nil {
		return 0, err
	}
	return reply.Node.BackendNodeID, nil
}

// Shows waits until the part shows a text. Spaces and line breaks between words don't matter.
func (in *Part) Shows(texts ...string) {
	in.t.Helper()
	for _, text := range texts {
		in.until(fmt.Sprintf("wait for text %q", text), func() error {
			shown, err := in.text()
			if err == nil && !strings.Contains(shown, words(text)) {
				err = fmt.Errorf("it is not shown")
			}
			return err
		})
	}
}

// Lacks waits until the part does not show a text.
func (in *Part) Lacks(texts ...string) {
	in.t.Helper()
	for _, text := range texts {
		in.until(fmt.Sprintf("wait until text %q is gone", text), func() error {
			shown, err := in.text()
			if err == nil && strings.Contains(shown, words(text)) {
				err = fmt.Errorf("it is shown")
			}
			return err
		})
	}
}

// Has waits for an element with a role and a name.
func (in *Part) Has(role, name string) {
	in.t.Helper()
	in.until(fmt.Sprintf("wait for %s %q", role, name), func() error {
		_, err := in.find(role, name)
		return err
	})
}

// HasNo waits until there is no element with a role and a name. An empty name stands for any.
func (in *Part) HasNo(role, name string) {
	in.t.Helper()
	in.until(fmt.Sprintf("wait until %s %q is gone", role, name), func() error {
		nodes, err := in.nodes(role, name)
		if err == nil && len(nodes) > 0 {
			err = fmt.Errorf("there are %d", len(nodes))
		}
		return err
	})
}

// Secret returns the plaintext of the key that the page shows this once. It must not be printed.
func (p *Page) Secret() string {
	p.t.Helper()
	var keys []string
	p.until("wait for a new key", func() error {
		keys = decode[[]string](p.tab, `[...document.querySelectorAll(".secret")].map(e => e.textContent.trim())`)
		if len(keys) != 1 {
			return fmt.Errorf("there are %d", len(keys))
		}
		return nil
	})
	return keys[0]
}

// HTML returns the source of the document as it is now. It must not be printed.
func (p *Page) HTML() string {
	p.t.Helper()
	return decode[string](p.tab, "document.documentElement.outerHTML")
}

// Text returns what the part shows, with single spaces between words.
func (in *Part) Text() string {
	in.t.Helper()
	text, err := in.text()
	in.must("read the text", err)
	return text
}

func (in *Part) text() (string, error) {
	root := in.root
	if root == nil {
		root = func() (cdp.BackendNodeID, error) { return in.node("document.documentElement") }
	}
	node, err := root()
	if err != nil {
		return "", err
	}
	text, err := ask[string](in.tab, node, "function() { return this.innerText }")
	return words(text), err
}

func words(text string) string { return strings.Join(strings.Fields(text), " ") }

func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string has JSON
	}
	return string(quoted)
}
