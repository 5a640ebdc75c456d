package stack

import (
	"context"
	"fmt"
	"io"
	"time"
)

// phase is one step of a start. Its name is printed before it runs and starts its error.
type phase struct {
	name string
	run  func(context.Context) error
}

// progress prints each phase with the time since the start.
type progress struct {
	out   io.Writer
	begun time.Time
}

func (p progress) printf(format string, args ...any) {
	fmt.Fprintf(p.out, "%6.1f s  %s\n", time.Since(p.begun).Seconds(), fmt.Sprintf(format, args...))
}

// run runs the phases until one fails or ctx ends.
func (p progress) run(ctx context.Context, phases []phase) error {
	for _, step := range phases {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		p.printf("%s", step.name)
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}
