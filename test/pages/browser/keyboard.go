package browser

import (
	"encoding/json"
	"fmt"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// mostStops bounds how often FocusFaults presses Tab.
const mostStops = 60

// stop is where the keyboard's focus is.
type stop struct {
	// HTML is the beginning of the element. Empty: the focus has left the document.
	HTML string `json:"html"`
	// Marked: the focus can be seen. Covered: something else is on top of the element.
	Marked  bool `json:"marked"`
	Covered bool `json:"covered"`
}

const stopScript = `(e => {
	if (!e || e === document.body || e === document.documentElement) return {html: "", marked: true, covered: false};
	const style = getComputedStyle(e), box = e.getClientRects()[0] ?? e.getBoundingClientRect();
	const marked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none";
	// The middle of the part that is on the screen: an element may be taller than the screen.
	const middle = (from, to, size) => (Math.max(from, 0) + Math.min(to, size)) / 2;
	const hit = document.elementFromPoint(
		middle(box.left, box.right, innerWidth), middle(box.top, box.bottom, innerHeight));
	return {html: e.outerHTML.slice(0, 150), marked, covered: !e.contains(hit)};
})(document.activeElement)`

// FocusFaults goes through the page with Tab, and returns the elements whose focus cannot be seen.
func (p *Page) FocusFaults() (faults []string) {
	p.t.Helper()
	decode[bool](p.tab, "document.activeElement?.blur() ?? true")
	for range mostStops {
		p.must("press Tab", chromedp.Do(p.ctx, chromedp.KeyEvent(kb.Tab)))
		var at stop
		text, err := p.evaluate(stopScript, false)
		if err == nil {
			err = json.Unmarshal(text, &at)
		}
		p.must("look where the focus is", err)
		switch {
		case at.HTML == "":
			return faults
		case !at.Marked:
			faults = append(faults, fmt.Sprintf("the focus is not visible: %s", at.HTML))
		case at.Covered:
			faults = append(faults, fmt.Sprintf("the focused element is covered: %s", at.HTML))
		}
	}
	return faults
}
