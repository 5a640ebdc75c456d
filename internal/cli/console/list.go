package console

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"time"

	"keywright.dev/keywright/internal/cli/output"
)

// WatchEvery is how often --watch looks.
const WatchEvery = 2 * time.Second

// List prints values as they come. With watch it looks again after each wait, and prints those that are new or
// different, until wait returns an error: the user has ended it.
func List[T any](
	ctx context.Context, out *output.Printer[T], watch bool, wait func(context.Context, time.Duration) error,
	all iter.Seq2[T, error],
) error {
	l := &lister[T]{Printer: out}
	if watch {
		l.seen = map[string]T{}
	}
	for {
		err := l.look(all)
		if watch && ctx.Err() != nil {
			// The user has ended it during a look.
			return l.Close()
		}
		switch {
		case err != nil && l.Count() == 0:
			// An empty list would look like an answer.
			return err
		case err != nil || !watch:
			return errors.Join(l.Close(), err)
		}
		if err := l.Flush(); err != nil {
			return err
		}
		if wait(ctx, WatchEvery) != nil {
			return l.Close()
		}
	}
}

// lister prints a list, and then what changes in it.
type lister[T any] struct {
	*output.Printer[T]
	// seen has what was printed, by identity. It is nil without a watch.
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
	name := l.Identity(value)
	before, known := l.seen[name]
	l.seen[name] = value
	return known && reflect.DeepEqual(before, value)
}
