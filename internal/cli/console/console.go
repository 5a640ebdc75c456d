// Package console is what a command shares with the person or program that runs it: standard streams, questions,
// messages, exit codes.
package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"keywright.dev/keywright/internal/cli/output"
	"keywright.dev/keywright/internal/program"
)

// Console is where a command reads and writes. It is not safe for concurrent use.
type Console struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Now            func() time.Time

	lines *bufio.Scanner
}

// OfProcess returns the console of this process.
func OfProcess() Console {
	return Console{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: program.Getenv, Now: time.Now}
}

// Exit codes.
const (
	ExitFailed = 1
	ExitUsage  = 2
)

// ErrReported is returned by commands that have printed what went wrong.
var ErrReported = errors.New("reported")

// usageError is a mistake on the command line: nothing was sent.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }
func (*usageError) Unwrap() error   { return program.ErrUsage }

// Usagef returns the error for a mistake on the command line. It wraps program.ErrUsage.
func Usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// ExitCode prints an error, with a hint unless that is empty, and returns the exit code.
func (c *Console) ExitCode(err error, hint string) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrReported):
		return ExitFailed
	}
	c.Errorf("%s", err)
	if hint != "" {
		fmt.Fprintln(c.Stderr, "Hint: "+hint)
	}
	if errors.Is(err, program.ErrUsage) {
		return ExitUsage
	}
	return ExitFailed
}

// Errorf prints an error.
func (c *Console) Errorf(format string, args ...any) { c.problem("Error", "\x1b[31m", format, args) }

// Warnf prints a warning.
func (c *Console) Warnf(format string, args ...any) { c.problem("Warning", "\x1b[33m", format, args) }

func (c *Console) problem(kind, colour, format string, args []any) {
	if c.coloured() {
		kind = colour + kind + "\x1b[0m"
	}
	fmt.Fprintln(c.Stderr, kind+": "+output.Clean(fmt.Sprintf(format, args...)))
}

// Notef prints a message beside the output.
func (c *Console) Notef(format string, args ...any) {
	fmt.Fprintln(c.Stderr, output.Clean(fmt.Sprintf(format, args...)))
}

// Printf prints output.
func (c *Console) Printf(format string, args ...any) { fmt.Fprintf(c.Stdout, format, args...) }

// Width returns the width of the terminal that the output goes to, or 0 if it goes elsewhere.
func (c *Console) Width() int {
	file, found := Terminal(c.Stdout)
	if !found {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// coloured reports whether messages may have colours (https://no-color.org).
func (c *Console) coloured() bool {
	_, found := Terminal(c.Stderr)
	return found && c.Getenv("NO_COLOR") == "" && c.Getenv("TERM") != "dumb"
}

// Lines returns the lines of stdin. Answers, keys and ids all come from it.
func (c *Console) Lines() *bufio.Scanner {
	if c.lines == nil {
		c.lines = bufio.NewScanner(c.Stdin)
	}
	return c.lines
}

// ReadLine returns a line of stdin without blanks around it. At the end it returns io.EOF.
func (c *Console) ReadLine() (string, error) {
	lines := c.Lines()
	if !lines.Scan() {
		if err := lines.Err(); err != nil {
			return "", err
		}
		return "", io.EOF
	}
	return strings.TrimSpace(lines.Text()), nil
}

// Confirm asks a question. Only y and yes are a yes; the end of stdin is a no.
func (c *Console) Confirm(question string) (bool, error) {
	if _, err := io.WriteString(c.Stderr, output.Clean(question)+" [y/N]: "); err != nil {
		return false, err
	}
	line, err := c.ReadLine()
	if err != nil {
		_, _ = io.WriteString(c.Stderr, "\n")
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return slices.Contains([]string{"y", "yes"}, strings.ToLower(line)), err
}

// ReadFile returns the content of a file; - is stdin.
func (c *Console) ReadFile(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(c.Stdin)
	}
	return os.ReadFile(path)
}

// Wait waits until a time has passed, or ctx ends.
func Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
