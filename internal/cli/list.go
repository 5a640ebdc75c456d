package cli

import (
	"context"
	"iter"

	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
)

func addWatch(c *cobra.Command, watch *bool) {
	c.Flags().BoolVarP(watch, "watch", "w", false, "go on, and print what changes")
}

func list[T any](ctx context.Context, a *App, view *output.View[T], watch bool, all iter.Seq2[T, error]) error {
	return console.List(ctx, output.NewList(a.Stdout, a.Width(), a.format, view), watch, a.wait, all)
}

// each iterates over what the server listed at once, or yields the error.
func each[T any](all []T, err error) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		if err != nil {
			yield(nil, err)
			return
		}
		for i := range all {
			if !yield(&all[i], nil) {
				return
			}
		}
	}
}
