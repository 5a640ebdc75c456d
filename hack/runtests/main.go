package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "runtests:", err)
		os.Exit(1)
	}
}

var errNoTests = errors.New("no test ran")

// run runs the tests and prints their report. It fails when a test does, when go test does, and when there was none.
func run(args []string, stdout, stderr io.Writer) error {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	total, readErr := summarize(events, stdout)
	exitErr := cmd.Wait()
	fmt.Fprintln(stdout, total)
	// The first of them that is there says most: an exit code says only that something is wrong.
	return cmp.Or(readErr, verdict(total), exitErr)
}

// summarize reads the lines of go test -json to their end, prints what a person wants of them and returns the counts.
func summarize(events io.Reader, out io.Writer) (counts, error) {
	r := newReport(out)
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		switch {
		case len(line) == 0:
		case json.Unmarshal(line, &e) != nil:
			// Not every complaint of the go command comes as JSON.
			fmt.Fprintf(out, "%s", line)
		default:
			r.handle(e)
		}
		if errors.Is(err, io.EOF) {
			return r.total, nil
		}
		if err != nil {
			return r.total, err
		}
	}
}

func verdict(total counts) error {
	switch {
	case total.failed > 0:
		return errors.New("there are failed tests")
	case total.passed == 0:
		return errNoTests
	}
	return nil
}
