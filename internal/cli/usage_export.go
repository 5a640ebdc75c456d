package cli

import (
	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/cli/console"
)

var exportFormats = []string{"csv", "ndjson"}

func (a *App) exportUsageCommand() *cobra.Command {
	var f usageFilter
	var format string
	c := &cobra.Command{
		Use:   "export",
		Short: "Print every call that is stored, the oldest first.",
		Long: `Print every call that is stored, the oldest first.

The server keeps calls for a while, and totals for longer. In CSV, a text that a
spreadsheet would run as a formula begins with an apostrophe. If the connection is
lost, the exit code is 1, and what was printed is not all.`,
		Example: `  keywright admin token-usage export --period month >usage.csv
  keywright admin token-usage export --model large-2 --format ndjson`,
		Args: console.Arguments(0, 0),
	}
	f.addTo(c)
	c.Flags().StringVar(&format, "format", "csv", "csv or ndjson")
	completeWords(c, map[string][]string{"period": periods, "format": exportFormats})
	c.RunE = func(c *cobra.Command, _ []string) error {
		if a.flags.given("output") || a.flags.json {
			return console.Usagef("an export is csv or ndjson: use --format")
		}
		if err := checkWord("format", format, exportFormats); err != nil {
			return err
		}
		if err := f.complete(a.Now()); err != nil {
			return err
		}
		client, err := a.client(c.Context())
		if err != nil {
			return err
		}
		return client.ExportUsage(c.Context(), f.UsageQuery, format, a.Stdout)
	}
	return c
}
