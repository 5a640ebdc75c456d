package browser

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// Click clicks the element with a role and a name.
func (in *Part) Click(role, name string) {
	in.t.Helper()
	what := fmt.Sprintf("click %s %q", role, name)
	in.act(what, role, name, in.click)
}

// Follow clicks what leads to another document, such as a link or the button of a form, and returns when that is
// loaded.
func (in *Part) Follow(role, name string) {
	in.t.Helper()
	in.follow(fmt.Sprintf("click %s %q", role, name), func() error {
		in.t.Helper()
		in.Click(role, name)
		return nil
	})
}

// FollowTwice clicks twice in a row what leads to another document, as impatient people do.
func (in *Part) FollowTwice(role, name string) {
	in.t.Helper()
	in.follow(fmt.Sprintf("click %s %q twice", role, name), func() error {
		in.t.Helper()
		in.act("click", role, name, func(node cdp.BackendNodeID) error {
			x, y, err := in.reach(node)
			if err == nil {
				in.press(x, y)
				in.press(x, y)
			}
			return err
		})
		return nil
	})
}

// Fill replaces the text of the field with this label.
func (in *Part) Fill(label, text string) {
	in.t.Helper()
	in.fill("textbox", label, text)
}

// Choose chooses an option, by its text, of the list with this label.
func (in *Part) Choose(label, option string) {
	in.t.Helper()
	const script = `function(option) {
		const i = [...this.options].findIndex(o => o.text.trim() === option);
		if (i < 0) throw new Error("no such option");
		this.selectedIndex = i;
		for (const event of ["input", "change"]) this.dispatchEvent(new Event(event, {bubbles: true}));
		return true;
	}`
	in.act(fmt.Sprintf("choose %q in %q", option, label), "combobox", label, func(node cdp.BackendNodeID) error {
		_, err := ask[bool](in.tab, node, script, option)
		return err
	})
}

// Check turns the checkbox with this label on or off.
func (in *Part) Check(label string, on bool) {
	in.t.Helper()
	in.act(fmt.Sprintf("set %q to %t", label, on), "checkbox", label, func(node cdp.BackendNodeID) error {
		is, err := ask[bool](in.tab, node, "function() { return this.checked }")
		if err != nil || is == on {
			return err
		}
		return in.click(node)
	})
}

// Pick chooses the radio button with this label.
func (in *Part) Pick(label string) {
	in.t.Helper()
	in.Click("radio", label)
}

// Value returns the value of the form field with a role and a label.
func (in *Part) Value(role, label string) (value string) {
	in.t.Helper()
	in.act(fmt.Sprintf("read %q", label), role, label, func(node cdp.BackendNodeID) (err error) {
		value, err = ask[string](in.tab, node, "function() { return this.value }")
		return err
	})
	return value
}

// Press presses keys of the keyboard; see package kb of chromedp for their names.
func (p *Page) Press(keys string) {
	p.t.Helper()
	p.must("press a key", chromedp.Do(p.ctx, chromedp.KeyEvent(keys)))
}

// Focused returns the text or the label of the element that has the keyboard's focus.
func (p *Page) Focused() string {
	p.t.Helper()
	return decode[string](p.tab, `(e => e?.labels?.[0]?.innerText ?? e?.getAttribute("aria-label") ?? e?.innerText ?? "")(
		document.activeElement).trim()`)
}

// act waits for the one element with a role and a name, and does something to it. It starts again while the element is
// not ready.
func (in *Part) act(what, role, name string, do func(cdp.BackendNodeID) error) {
	in.t.Helper()
	in.until(what, func() error {
		node, err := in.find(role, name)
		if err != nil {
			return err
		}
		disabled, err := ask[bool](in.tab, node, `function() { return this.matches(":disabled, [aria-disabled=true]") }`)
		if err != nil {
			return err
		}
		if disabled {
			return errors.New("it is disabled")
		}
		return do(node)
	})
}

func (in *Part) fill(role, label, text string) {
	in.t.Helper()
	const selectAll = `function() { this.focus(); this.select(); return document.activeElement === this }`
	in.act(fmt.Sprintf("fill %q", label), role, label, func(node cdp.BackendNodeID) error {
		focused, err := ask[bool](in.tab, node, selectAll)
		if err != nil {
			return err
		}
		if !focused {
			return errors.New("it takes no focus")
		}
		if text == "" {
			return chromedp.Do(in.ctx, chromedp.KeyEvent("\b"))
		}
		_, err = cdp.Call(in.ctx, in.target, input.InsertText, input.InsertTextParams{Text: text})
		return err
	})
}

// click clicks the middle of an element that is at rest and not covered.
func (p *tab) click(node cdp.BackendNodeID) error {
	x, y, err := p.reach(node)
	if err == nil {
		p.press(x, y)
	}
	return err
}

// reach returns the middle of an element, once it is at rest and not covered.
func (p *tab) reach(node cdp.BackendNodeID) (x, y float64, err error) {
	scroll := dom.ScrollIntoViewIfNeededParams{BackendNodeID: node}
	if _, err := cdp.Call(p.ctx, p.target, dom.ScrollIntoViewIfNeeded, scroll); err != nil {
		return 0, 0, err
	}
	before, err := p.quad(node)
	if err != nil {
		return 0, 0, err
	}
	// A frame is drawn between the two.
	if _, err := p.evaluate("new Promise(done => requestAnimationFrame(() => done(0)))", !p.look.NoScript); err != nil {
		return 0, 0, err
	}
	after, err := p.quad(node)
	if err != nil {
		return 0, 0, err
	}
	if !slices.Equal(before, after) {
		return 0, 0, errors.New("it moves")
	}
	x, y = middle(after)
	const reached = `function(x, y) {
		const hit = document.elementFromPoint(x, y);
		return this.contains(hit) || [...(this.labels ?? [])].some(l => l.contains(hit));
	}`
	hit, err := ask[bool](p, node, reached, x, y)
	if err == nil && !hit {
		err = errors.New("something else covers it")
	}
	return x, y, err
}

// pointer is what a mouse does for a click.
var pointer = []input.DispatchMouseEventType{
	input.DispatchMouseEventTypeMouseMoved,
	input.DispatchMouseEventTypeMousePressed,
	input.DispatchMouseEventTypeMouseReleased,
}

// press ends the test if it fails: the element may have been clicked already.
func (p *tab) press(x, y float64) {
	p.t.Helper()
	for _, event := range pointer {
		_, err := cdp.Call(p.ctx, p.target, input.DispatchMouseEvent, input.DispatchMouseEventParams{
			Type: event, X: x, Y: y, Button: input.MouseButtonLeft, ClickCount: 1,
		})
		p.must("move the mouse", err)
	}
}

// quad returns the corners of an element.
func (p *tab) quad(node cdp.BackendNodeID) (dom.Quad, error) {
	reply, err := cdp.Call(p.ctx, p.target, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: node})
	if err != nil {
		return nil, err
	}
	if len(reply.Quads) == 0 {
		return nil, errors.New("it is not visible")
	}
	return reply.Quads[0], nil
}

func middle(corners dom.Quad) (x, y float64) {
	for i := 0; i < len(corners); i += 2 {
		x += corners[i] / 4
		y += corners[i+1] / 4
	}
	return math.Round(x), math.Round(y)
}
