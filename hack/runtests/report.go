package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// event is one line of go test -json; `go doc test2json` describes it.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// report follows the packages under test and adds them up as they end.
type report struct {
	out      io.Writer
	packages map[string]*pkg
	total    counts
}

func newReport(out io.Writer) *report {
	return &report{out: out, packages: map[string]*pkg{}}
}

func (r *report) handle(e event) {
	if e.Action == "build-output" {
		fmt.Fprint(r.out, e.Output)
		return
	}
	if e.Package == "" {
		return
	}
	p, ok := r.packages[e.Package]
	if !ok {
		p = &pkg{tests: map[string]*test{}}
		r.packages[e.Package] = p
	}
	if e.Test == "" {
		r.handlePackage(p, e)
		return
	}
	p.test(e.Test).handle(e, r.out)
}

func (r *report) handlePackage(p *pkg, e event) {
	switch e.Action {
	case "output":
		p.output = append(p.output, e.Output)
	case "pass", "skip", "fail":
		p.print(e.Action == "fail", r.out)
		r.total = r.total.plus(p.count(e.Action == "fail"))
		delete(r.packages, e.Package)
	}
}

// pkg is one package while its tests run.
type pkg struct {
	tests  map[string]*test
	output []string
}

// test finds or adds a test, and tells the tests it is nested in.
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

// print writes what the package itself had to say: its result, and everything when it failed.
func (p *pkg) print(failed bool, out io.Writer) {
	if failed {
		for _, t := range p.tests {
			t.printUnfinished(out)
		}
	}
	for _, line := range p.output {
		if failed || isResult(line) {
			fmt.Fprint(out, line)
		}
	}
}

// isResult tells the line that go test prints of a package that did not fail.
func isResult(line string) bool {
	return slices.ContainsFunc([]string{"ok  \t", "?   \t", "\t"}, func(start string) bool {
		return strings.HasPrefix(line, start)
	})
}

// count adds up the tests. A failed package has at least one failure, whatever its tests say.
func (p *pkg) count(failed bool) counts {
	var sum counts
	for _, t := range p.tests {
		sum = sum.plus(t.count())
	}
	if failed && sum.failed == 0 {
		sum.failed = 1
	}
	return sum
}
