package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "testcount:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: testcount FILE")
	}
	events, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	total := count(events)
	fmt.Fprintln(out, total)
	switch {
	case total.failed > 0:
		return errors.New("there are failed tests")
	case total.passed == 0:
		return errors.New("no test passed")
	}
	return nil
}

// event is one line of go test -json; `go doc test2json` describes it.
type event struct {
	Action, Package, Test, Output string
}

// count adds up the tests of all packages. A line that is not an event is a message of the go command.
func count(events []byte) counts {
	packages := map[string]*pkg{}
	for line := range bytes.Lines(events) {
		var e event
		if json.Unmarshal(line, &e) != nil || e.Package == "" {
			continue
		}
		p, ok := packages[e.Package]
		if !ok {
			p = &pkg{tests: map[string]*test{}}
			packages[e.Package] = p
		}
		p.add(e)
	}
	var total counts
	for _, p := range packages {
		total = total.plus(p.count())
	}
	return total
}
