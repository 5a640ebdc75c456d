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
