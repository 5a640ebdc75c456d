package console

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// ErrInterrupted is the error of reading from a person who pressed Ctrl-C, or after a signal to end.
var ErrInterrupted = errors.New("interrupted")

// Interruptible makes reading from stdin end with ErrInterrupted when ctx ends.
func (c *Console) Interruptible(ctx context.Context) {
	c.Stdin = &input{in: c.Stdin, done: ctx.Done()}
}

// input is an interruptible reader.
type input struct {
	in   io.Reader
	done <-chan struct{}
}

// Read reads in a goroutine, because a read of a terminal cannot be cancelled. After an interruption the goroutine is
// left behind: the process is about to exit.
func (i *input) Read(p []byte) (int, error) {
	type result struct {
		read []byte
		err  error
	}
	results := make(chan result, 1)
	go func() {
		buffer := make([]byte, len(p))
		n, err := i.in.Read(buffer)
		results <- result{buffer[:n], err}
	}()
	select {
	case r := <-results:
		return copy(p, r.read), r.err
	case <-i.done:
		return 0, ErrInterrupted
	}
}

// Terminal returns the file behind a stream if it is a terminal.
func Terminal(stream any) (*os.File, bool) {
	if wrapped, isInput := stream.(*input); isInput {
		return Terminal(wrapped.in)
	}
	file, isFile := stream.(*os.File)
	return file, isFile && term.IsTerminal(int(file.Fd()))
}

// AskHidden asks for a line without showing what is typed. It needs a terminal, which found reports. Ctrl-C and Ctrl-D
// are ErrInterrupted.
func (c *Console) AskHidden(prompt string) (line string, found bool, err error) {
	file, found := Terminal(c.Stdin)
	if !found {
		return "", false, nil
	}
	// Raw mode is set before anything can be typed. It also turns Ctrl-C into a character, so that no signal can end
	// the process while the terminal shows nothing.
	before, err := term.MakeRaw(int(file.Fd()))
	if err != nil {
		return "", true, err
	}
	defer func() {
		err = errors.Join(err, term.Restore(int(file.Fd()), before))
		_, _ = io.WriteString(c.Stderr, "\n")
	}()
	if _, err := io.WriteString(c.Stderr, prompt); err != nil {
		return "", true, err
	}
	keyboard := struct {
		io.Reader
		io.Writer
	}{c.Stdin, io.Discard}
	line, err = term.NewTerminal(keyboard, "").ReadPassword("")
	if errors.Is(err, io.EOF) {
		err = ErrInterrupted
	}
	return strings.TrimSpace(line), true, err
}
