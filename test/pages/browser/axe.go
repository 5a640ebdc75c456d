package browser

import (
	"encoding/json"
	"fmt"
	"strings"
)

// axeTags are the rules that axe checks: WCAG 2.2 up to level AA, and what its authors recommend beyond.
const axeTags = `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]`

// mostElements is the number of elements that a finding shows.
const mostElements = 4

// finding is a rule that elements of a page break.
type finding struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		HTML    string `json:"html"`
		Target  []any  `json:"target"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

func (f finding) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "axe %s: %s", f.ID, f.Help)
	for i, node := range f.Nodes {
		if i == mostElements {
			fmt.Fprintf(&s, "\n  and %d more elements", len(f.Nodes)-i)
			break
		}
		summary := strings.ReplaceAll(node.Summary, "\n", "\n    ")
		fmt.Fprintf(&s, "\n  %v %s\n    %s", node.Target, node.HTML, summary)
	}
	return s.String()
}

// Axe returns the faults that axe-core finds on the page as it is. It omits what axe leaves to people to decide.
func (p *Page) Axe() (faults []string) {
	p.t.Helper()
	if p.look.NoScript {
		// A document that was loaded without scripts runs none later either; axe needs them.
		p.scripts(true)
		defer p.scripts(false)
	}
	present, err := p.evaluate(`typeof axe === "object"`, false)
	if err == nil && string(present) != "true" {
		_, err = p.evaluate(p.axe+"\n; 0", false)
	}
	p.must("load axe", err)
	const run = `axe.run(document, {runOnly: {type: "tag", values: ` + axeTags + `}, resultTypes: ["violations"]})
		.then(r => r.violations)`
	text, err := p.evaluate(run, true)
	p.must("run axe", err)
	var findings []finding
	p.must("read the result of axe", json.Unmarshal(text, &findings))
	for _, f := range findings {
		faults = append(faults, f.String())
	}
	return faults
}
