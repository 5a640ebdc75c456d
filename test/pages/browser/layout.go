package browser

import (
	"fmt"

	"github.com/chromedp/cdproto/emulation"
)

// Overflow returns the innermost elements that make the document wider than the window. Parts may scroll by themselves,
// such as a wide table in a box.
func (p *Page) Overflow() []string {
	p.t.Helper()
	const script = `(width => {
		const root = document.documentElement;
		if (root.scrollWidth <= width) return [];
		const boxed = e => {
			for (let p = e.parentElement; p && p !== root; p = p.parentElement)
				if (getComputedStyle(p).overflowX !== "visible") return true;
			return false;
		};
		const spills = e => e.clientWidth > 1 && e.scrollWidth > e.clientWidth;
		const isWide = e => e.checkVisibility() && !boxed(e) &&
			(e.getBoundingClientRect().right > width + 0.5 || spills(e));
		const wide = [...document.body.querySelectorAll("*")].filter(isWide).filter(e => ![...e.children].some(isWide));
		const shown = wide.slice(0, 5).map(e => e.outerHTML.slice(0, 150));
		return ["the document is " + root.scrollWidth + " px wide"].concat(shown);
	})(%d)`
	return decode[[]string](p.tab, fmt.Sprintf(script, p.look.Width))
}

// SmallTargets returns what can be clicked and is smaller than 24 px. A link in a sentence may be as high as its line.
func (p *Page) SmallTargets() []string {
	p.t.Helper()
	const script = `(() => {
		const kinds = "a[href], button, input:not([type=hidden]), select, textarea, summary, [role=button]";
		const inText = e => e.matches("a") && getComputedStyle(e).display === "inline" &&
			[...e.parentElement.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.data.trim());
		const small = e => {
			const box = (e.matches("input") && e.closest("label") || e).getBoundingClientRect();
			const seen = e.checkVisibility({opacityProperty: true, visibilityProperty: true}) && box.width > 1;
			return seen && (box.width < 24 || box.height < 24) && !inText(e);
		};
		const describe = e => {
			const box = e.getBoundingClientRect();
			return Math.round(box.width) + "x" + Math.round(box.height) + " px: " + e.outerHTML.slice(0, 150);
		};
		return [...document.querySelectorAll(kinds)].filter(small).map(describe);
	})()`
	return decode[[]string](p.tab, script)
}

// Overruled returns components whose own layout another rule has replaced: a button whose icon sticks to its text, a
// figure whose number stands beside its label.
func (p *Page) Overruled() []string {
	p.t.Helper()
	const script = `Object.entries({".button": "flex", ".figure": "grid"}).flatMap(([component, display]) =>
		[...document.querySelectorAll(component)].filter(e => e.checkVisibility())
			.filter(e => !getComputedStyle(e).display.endsWith(display))
			.map(e => component + " is laid out as " + getComputedStyle(e).display + ": " + e.outerHTML.slice(0, 150)))`
	return decode[[]string](p.tab, script)
}

func (p *Page) scripts(on bool) {
	p.t.Helper()
	params := emulation.SetScriptExecutionDisabledParams{Value: !on}
	p.must("turn scripts on or off", send(p.ctx, p.target, emulation.SetScriptExecutionDisabled, params)())
}
