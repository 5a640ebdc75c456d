package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
	"keywright.dev/keywright/internal/program"
)

func (a *App) repriceCommand() *cobra.Command {
	var since string
	var dryRun bool
	c := &cobra.Command{
		Use:   "reprice",
		Short: "Compute costs again with the prices of now.",
		Long: `Compute the costs of recorded calls again, with the prices of now for the time of each call.

Costs that reporters gave stay, and so do those of models whose price is unknown by now. If the
command is interrupted, run it again: it continues. Many records take longer than a request may
by default: give a longer --timeout.`,
		Example: `  keywright admin token-usage reprice --since 2030-01-31 --dry-run
  keywright admin token-usage reprice --since 30d --timeout 10m --reason "new contract"`,
		Args: console.Arguments(0, 0),
	}
	c.Flags().StringVar(&since, "since", "", "the first day or instant, or how long ago: 2030-01-31, 30d")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "show what would change, and store nothing")
	c.RunE = func(c *cobra.Command, _ []string) error {
		first, err := parseSince(since, a.Now())
		if err != nil {
			return err
		}
		client, err := a.client(c.Context())
		if err != nil {
			return err
		}
		changed, err := client.Reprice(c.Context(), first, dryRun)
		if err != nil {
			return err
		}
		return output.One(a.Stdout, a.Width(), a.format, repricedView(), changed)
	}
	return c
}

// parseSince reads a day, an instant or how long ago it was.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, console.Usagef("--since is needed: the first day or instant, or how long ago")
	}
	if ago, ok := program.ParseSpan(text); ok {
		return now.Add(-ago), nil
	}
	at, err := parseInstant(text)
	if err != nil {
		return at, console.Usagef("--since %q must be a day such as 2030-01-31, a time such as 2030-01-31T12:00:00Z, "+
			"or a time ago such as 30d", text)
	}
	return at, nil
}

func repricedView() *output.View[*apiclient.Repriced] {
	type repriced = apiclient.Repriced
	// Small differences matter here.
	dollars := func(cost float64) string { return fmt.Sprintf("$%.6f", cost) }
	return &output.View[*repriced]{Columns: []output.Column[*repriced]{
		{Header: "RECORDS", Value: func(r *repriced) string { return number(r.Records) }},
		{Header: "CHANGED", Value: func(r *repriced) string { return number(r.Changed) }},
		{Header: "COST BEFORE", Value: func(r *repriced) string { return dollars(r.CostBeforeUSD) }},
		{Header: "COST AFTER", Value: func(r *repriced) string { return dollars(r.CostAfterUSD) }},
		{Header: "DRY RUN", Value: func(r *repriced) string { return fmt.Sprint(r.DryRun) }},
	}}
}
