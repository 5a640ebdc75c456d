package cli

import (
	"strconv"

	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
)

// Limits of --limit.
const defaultBudgets, maxBudgets = 100, 1000

func budgetsView() *output.View[*apiclient.Budget] {
	type budget = apiclient.Budget
	return &output.View[*budget]{
		Columns: []output.Column[*budget]{
			{Header: "OWNER", Value: func(b *budget) string { return b.Owner }},
			{Header: "BUDGET", Value: func(b *budget) string { return b.Name }},
			{Header: "PERIOD", Value: func(b *budget) string { return b.Period }},
			{Header: "USED", Value: func(b *budget) string { return amount(b.Used, b.Unit) }},
			{Header: "AMOUNT", Value: func(b *budget) string { return amount(&b.Amount, b.Unit) }},
			{Header: "STATE", Value: func(b *budget) string { return b.State }},
			{Header: "RESETS", Value: func(b *budget) string { return b.ResetsAt }},
			{Header: "ACTION", Wide: true, Value: func(b *budget) string { return b.Action }},
		},
		Name:  func(b *budget) string { return b.Owner + "/" + b.Name },
		Empty: "No budgets found.",
	}
}

// amount returns dollars or tokens. It is N/A if the amount is unknown.
func amount(value *float64, unit string) string {
	if value == nil {
		return "N/A"
	}
	text := strconv.FormatFloat(*value, 'f', -1, 64)
	if unit == "usd" {
		return "$" + text
	}
	return text
}

func (a *App) budgetsCommand() *cobra.Command {
	var watch bool
	limit := defaultBudgets
	c := &cobra.Command{
		Use:   "budgets",
		Short: "List budgets, the most used ones first.",
		Example: `  keywright admin budgets
  keywright admin budgets --limit 10 -o wide`,
		Args: console.Arguments(0, 0),
	}
	c.Flags().IntVar(&limit, "limit", defaultBudgets, "the number of budgets, at most 1000")
	addWatch(c, &watch)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if limit < 1 || limit > maxBudgets {
			return console.Usagef("--limit %d must be from 1 to %d", limit, maxBudgets)
		}
		client, err := a.client(c.Context())
		if err != nil {
			return err
		}
		return list(c.Context(), a, budgetsView(), watch, func(yield func(*apiclient.Budget, error) bool) {
			budgets, err := client.Budgets(c.Context(), limit)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range budgets {
				if !yield(&budgets[i], nil) {
					return
				}
			}
		})
	}
	return c
}
