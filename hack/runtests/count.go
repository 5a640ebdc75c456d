package main

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// counts are numbers of tests.
type counts struct {
	passed, failed, skipped int
}

func (c counts) plus(d counts) counts {
	return counts{c.passed + d.passed, c.failed + d.failed, c.skipped + d.skipped}
}

func (c counts) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", c.passed, c.failed, c.skipped)
}

// test is one test or subtest while its package runs.
type test struct {
	parent *test
	nested bool   // it has subtests, which are counted in its place
	result string // pass, fail, skip; empty while it runs
	blamed bool   // it or one of its subtests is counted as failed
	output strings.Builder
	specs  *counts
}

// handle takes an event in. The output of a test is shown when it ends, and only when it did not pass.
func (t *test) handle(e event, out io.Writer) {
	switch e.Action {
	case "output":
		if !strings.HasPrefix(e.Output, "=== ") {
			t.output.WriteString(e.Output)
		}
	case "pass", "fail", "skip":
		t.end(e.Action)
		if e.Action != "pass" {
			fmt.Fprint(out, t.output.String())
		}
		t.output.Reset()
	}
}

func (t *test) end(result string) {
	t.result = result
	t.specs = specCounts(t.output.String())
	if result == "fail" && !t.blamed {
		t.blame()
	}
}

// blame marks those that fail for no other reason than this one, so that a failure is counted once.
func (t *test) blame() {
	for p := t.parent; p != nil; p = p.parent {
		p.blamed = true
	}
}

// printUnfinished shows what a test said that was still running when its package crashed.
func (t *test) printUnfinished(out io.Writer) {
	if t.result == "" {
		fmt.Fprint(out, t.output.String())
	}
}

func (t *test) count() counts {
	switch {
	case t.specs != nil:
		return t.countSpecs()
	case t.result == "fail" && !t.blamed:
		return counts{failed: 1}
	case t.nested || t.result == "fail":
		return counts{}
	case t.result == "pass":
		return counts{passed: 1}
	case t.result == "skip":
		return counts{skipped: 1}
	}
	return counts{failed: 1} // it never ended
}

// countSpecs counts a Ginkgo suite by its specs. One that fails without a failed spec failed in its set-up.
func (t *test) countSpecs() counts {
	c := *t.specs
	if t.result == "fail" && c.failed == 0 {
		c.failed = 1
	}
	return c
}

var (
	// ginkgoTotals is the last line of a Ginkgo suite; a pending spec is one that was written and not run.
	ginkgoTotals = regexp.MustCompile(`(\d+) Passed \| (\d+) Failed \| (?:\d+ \w+ \| )*?(\d+) Pending \| (\d+) Skipped`)
	colours      = regexp.MustCompile(`\x1b\[[0-9;]*m`)
)

// specCounts reads the totals of a Ginkgo suite from the output of the test that ran it; nil when it ran none.
func specCounts(output string) *counts {
	m := ginkgoTotals.FindStringSubmatch(colours.ReplaceAllString(output, ""))
	if m == nil {
		return nil
	}
	var n [4]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1]) // digits only, by the expression
	}
	return &counts{passed: n[0], failed: n[1], skipped: n[2] + n[3]}
}
