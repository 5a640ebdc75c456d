package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

type counts struct {
	passed, failed, skipped int
}

func (c counts) plus(d counts) counts {
	return counts{c.passed + d.passed, c.failed + d.failed, c.skipped + d.skipped}
}

func (c counts) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", c.passed, c.failed, c.skipped)
}

// pkg is one package under test.
type pkg struct {
	tests  map[string]*test
	failed bool
}

// test is one test or subtest.
type test struct {
	parent *test
	nested bool   // has subtests, which are counted in its place
	result string // pass, fail or skip; empty while it runs
	blamed bool   // a subtest has failed
	output strings.Builder
}

func (p *pkg) add(e event) {
	switch {
	case e.Test == "":
		p.failed = p.failed || e.Action == "fail"
	case e.Action == "output":
		p.test(e.Test).output.WriteString(e.Output)
	case e.Action == "pass" || e.Action == "fail" || e.Action == "skip":
		p.test(e.Test).end(e.Action)
	default:
		p.test(e.Test)
	}
}

// test finds or adds a test together with the tests it is nested in.
func (p *pkg) test(name string) *test {
	if t, ok := p.tests[name]; ok {
		return t
	}
	t := &test{}
	p.tests[name] = t
	if i := strings.LastIndexByte(name, '/'); i > 0 {
		t.parent = p.test(name[:i])
		t.parent.nested = true
	}
	return t
}

// end records a result. Parents fail with their subtests, and one failure is counted once.
func (t *test) end(result string) {
	t.result = result
	if result != "fail" {
		return
	}
	for p := t.parent; p != nil; p = p.parent {
		p.blamed = true
	}
}

// count adds up the tests. A failed package has at least one failure.
func (p *pkg) count() counts {
	var sum counts
	for _, t := range p.tests {
		sum = sum.plus(t.count())
	}
	if p.failed && sum.failed == 0 {
		sum.failed = 1
	}
	return sum
}

func (t *test) count() counts {
	specs, suite := specCounts(t.output.String())
	failed := t.result == "fail"
	switch {
	case suite && failed && specs.failed == 0:
		specs.failed = 1 // outside its specs
		return specs
	case suite:
		return specs
	case failed && !t.blamed, t.result == "" && !t.nested:
		return counts{failed: 1}
	case failed, t.nested:
		return counts{}
	case t.result == "skip":
		return counts{skipped: 1}
	}
	return counts{passed: 1}
}

var (
	// ginkgoTotals is the last line of a Ginkgo suite. A pending spec is written and not run.
	ginkgoTotals = regexp.MustCompile(`(\d+) Passed \| (\d+) Failed \| (?:\d+ \w+ \| )*?(\d+) Pending \| (\d+) Skipped`)
	colours      = regexp.MustCompile(`\x1b\[[0-9;]*m`)
)

// specCounts reads the totals of a Ginkgo suite from the output of a test, and reports whether there are any.
func specCounts(output string) (counts, bool) {
	m := ginkgoTotals.FindStringSubmatch(colours.ReplaceAllString(output, ""))
	if m == nil {
		return counts{}, false
	}
	var n [4]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1]) // digits only, by the expression
	}
	return counts{passed: n[0], failed: n[1], skipped: n[2] + n[3]}, true
}
