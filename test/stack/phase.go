package stack

import (
	"context"
	"fmt"
	"io"
	"time"
)

// phase is one step of a start; its name is what is told before it runs, and what an error of it begins with.
type phase struct {
	name string
	run  func(context.Context) error
}

// progress tells what is being done, and when since the start.
type progress struct {
	out   io.Writer
	begun time.Time
}

func (p progress) say(format string, args ...any) {
	fmt.Fprintf(p.out, "%6.1f s  %s\n", time.Since(p.begun).Seconds(), fmt.Sprintf(format, args...))
}

// run goes through the phases until one fails or ctx ends.
func (p progress) run(ctx context.Context, phases []phase) error {
	for _, step := range phases {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		p.say("%s", step.name)
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}
