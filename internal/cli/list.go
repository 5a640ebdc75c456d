package cli

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"time"

	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/cli/output"
)

// watchEvery is how often --watch looks.
const watchEvery = 2 * time.Second

func addWatch(c *cobra.Command, watch *bool) {
	c.Flags().BoolVarP(watch, "watch", "w", false, "go on, and print what changes")
}

// list prints values as they come. With watch it looks again and again, and prints those that are new or different.
func list[T any](ctx context.Context, a *App, view *output.View[T], watch bool, all iter.Seq2[T, error]) error {
	l := &lister[T]{Printer: output.NewList(a.Stdout, a.Width(), a.format, view), view: view}
	if watch {
		l.seen = map[string]T{}
	}
	for {
		if err := l.look(all); err != nil || !watch {
			return errors.Join(l.Close(), err)
		}
		if err := l.Flush(); err != nil {
			return err
		}
		if err := a.wait(ctx, watchEvery); err != nil {
			// The watch was ended by its user.
			return l.Close()
		}
	}
}

// lister prints a list, and then what changes in it.
type lister[T any] struct {
	*output.Printer[T]
	view *output.View[T]
	// seen has what was printed, by name. It is nil without a watch.
	seen map[string]T
}

func (l *lister[T]) look(all iter.Seq2[T, error]) error {
	for value, err := range all {
		if err != nil {
			return err
		}
		if l.isOld(value) {
			continue
		}
		if err := l.Print(value); err != nil {
			return err
		}
	}
	return nil
}

// isOld reports whether a value was printed before as it is now.
func (l *lister[T]) isOld(value T) bool {
	if l.seen == nil {
		return false
	}
	name := l.view.Name(value)
	before, known := l.seen[name]
	l.seen[name] = value
	return known && reflect.DeepEqual(before, value)
}
