package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
)

// groupings are the values of --group-by (docs/compatibility.md).
var groupings = []string{
	"call_type", "day", "hour", "job", "key", "model", "month", "namespace", "owner", "provider", "status", "tag", "week",
}

var periods = []string{"today", "week", "month", "all"}

type usageFlags struct {
	period, job, format string
	apiclient.UsageQuery
}

func (a *App) usageCommand() *cobra.Command {
	var f usageFlags
	c := &cobra.Command{
		Use:   "token-usage",
		Short: "Print what AI calls cost.",
		Long: `Print what AI calls cost.

Without filters: today (UTC), the last 7 and 30 days, and the top models. With filters:
totals, and a breakdown with --group-by. With --job-id: each call of a job.`,
		Example: `  keywright admin token-usage
  keywright admin token-usage --period month --group-by model
  keywright admin token-usage --group-by provider --format csv
  keywright admin token-usage --job-id abc-123`,
		Args: console.Arguments(0, 0),
	}
	set := c.Flags()
	set.StringVar(&f.period, "period", "", "today, week, month or all")
	set.StringVar(&f.StartDate, "start-date", "", "the first day or instant: 2030-01-31")
	set.StringVar(&f.EndDate, "end-date", "", "the last day or instant: 2030-01-31")
	set.StringVar(&f.Provider, "provider", "", "only calls of this provider")
	set.StringVar(&f.Model, "model", "", "only calls of this model")
	set.StringVar(&f.CallType, "call-type", "", "only calls of this type")
	set.StringVar(&f.GroupBy, "group-by", "", strings.Join(groupings, ", "))
	set.StringVar(&f.job, "job-id", "", "the calls of this job")
	set.StringVar(&f.format, "format", "", "table, json or csv; the same as -o")
	for name, words := range map[string][]string{"period": periods, "group-by": groupings, "format": usageFormats} {
		_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := f.complete(a); err != nil {
			return err
		}
		return a.usage(c.Context(), &f)
	}
	return c
}

var usageFormats = []string{output.Table, output.JSON, output.CSV}

// complete checks the flags before anything is sent.
func (f *usageFlags) complete(a *App) error {
	if err := errors.Join(f.checkWords(), f.checkDates()); err != nil {
		return err
	}
	switch {
	case f.period != "" && (f.StartDate != "" || f.EndDate != ""):
		return console.Usagef("--period excludes --start-date and --end-date")
	case f.job != "" && (f.period != "" || f.UsageQuery != apiclient.UsageQuery{}):
		return console.Usagef("--job-id excludes filters and --group-by")
	case f.format != "" && a.flags.given("output") && a.flags.output != f.format:
		return console.Usagef("--format %s and -o %s exclude each other", f.format, a.flags.output)
	}
	f.StartDate = cmp.Or(f.StartDate, startOf(f.period, a.Now()))
	if f.format == "" {
		return nil
	}
	format, err := output.Parse(f.format)
	a.format = format
	return err
}

func (f *usageFlags) checkWords() error {
	for _, flag := range []struct {
		name, value string
		known       []string
	}{{"period", f.period, periods}, {"group-by", f.GroupBy, groupings}, {"format", f.format, usageFormats}} {
		if flag.value != "" && !slices.Contains(flag.known, flag.value) {
			return console.Usagef("--%s %q must be one of %s", flag.name, flag.value, strings.Join(flag.known, ", "))
		}
	}
	return nil
}

func (f *usageFlags) checkDates() error {
	for _, flag := range []struct{ name, value string }{{"start-date", f.StartDate}, {"end-date", f.EndDate}} {
		if _, err := parseInstant(flag.value); flag.value != "" && err != nil {
			return console.Usagef("--%s %q must be a day such as 2030-01-31 or a time such as 2030-01-31T12:00:00Z",
				flag.name, flag.value)
		}
	}
	return nil
}

// startOf returns the first day of a period: that of the summary of the server.
func startOf(period string, now time.Time) string {
	days := map[string]int{"today": 0, "week": 6, "month": 29}
	n, bounded := days[period]
	if !bounded {
		return ""
	}
	return now.UTC().AddDate(0, 0, -n).Format(time.DateOnly)
}

func (a *App) usage(ctx context.Context, f *usageFlags) error {
	client, err := a.client(ctx)
	if err != nil {
		return err
	}
	switch {
	case f.job != "":
		return a.usageOfJob(ctx, client, f.job)
	case f.period == "" && f.UsageQuery == apiclient.UsageQuery{}:
		return a.usageSummary(ctx, client)
	}
	u, err := client.Usage(ctx, f.UsageQuery)
	if err != nil {
		return err
	}
	return a.printUsage(u, f.GroupBy != "")
}

// cost prints dollars: N/A if a price was unknown.
func cost(dollars *float64) string {
	if dollars == nil {
		return "N/A"
	}
	return fmt.Sprintf("$%.2f", *dollars)
}

// exactCost is for other programs.
func exactCost(dollars *float64) string {
	if dollars == nil {
		return ""
	}
	return fmt.Sprintf("%.9f", *dollars)
}

func number(n int64) string { return fmt.Sprint(n) }

func (a *App) usageSummary(ctx context.Context, client *apiclient.Client) error {
	s, err := client.UsageSummary(ctx)
	if err != nil {
		return err
	}
	if !a.format.ForPeople() && a.format.Name != output.CSV {
		return output.One(a.Stdout, 0, a.format, &output.View[*apiclient.UsageSummary]{}, s)
	}
	type line struct {
		name string
		*apiclient.UsagePeriod
	}
	price := cost
	if a.format.Name == output.CSV {
		price = exactCost
	}
	p := output.NewList(a.Stdout, a.Width(), a.format, &output.View[line]{Columns: []output.Column[line]{
		{Header: "PERIOD", Value: func(l line) string { return l.name }},
		{Header: "CALLS", Value: func(l line) string { return number(l.Calls) }},
		{Header: "TOKENS", Value: func(l line) string { return number(l.Tokens) }},
		{Header: "INPUT", Value: func(l line) string { return number(l.InputTokens) }},
		{Header: "OUTPUT", Value: func(l line) string { return number(l.OutputTokens) }},
		{Header: "COST", Value: func(l line) string { return price(l.CostUSD) }},
	}})
	for _, l := range []line{{"Today", &s.Today}, {"This Week", &s.ThisWeek}, {"This Month", &s.ThisMonth}} {
		if err := p.Print(l); err != nil {
			return err
		}
	}
	if err := p.Close(); err != nil || a.format.Name == output.CSV || len(s.TopModels) == 0 {
		return err
	}
	a.Printf("\nTop Models\n")
	for _, m := range s.TopModels {
		a.Printf("  %s: %d calls, %s\n", output.Clean(m.Model), m.Calls, cost(m.CostUSD))
	}
	return nil
}

func (a *App) printUsage(u *apiclient.Usage, grouped bool) error {
	if !a.format.ForPeople() && a.format.Name != output.CSV {
		return output.One(a.Stdout, 0, a.format, &output.View[*apiclient.Usage]{}, u)
	}
	price := exactCost
	if a.format.Name != output.CSV {
		price = cost
		a.Printf("Calls: %d\nInput tokens: %d\nOutput tokens: %d\nCache read tokens: %d\nCache write tokens: %d\nCost: %s\n",
			u.Calls, u.InputTokens, u.OutputTokens, u.CacheReadTokens, u.CacheWriteTokens, cost(u.CostUSD))
		if !grouped {
			return nil
		}
		a.Printf("\n")
	}
	lines := u.Breakdown
	if !grouped {
		lines = []apiclient.UsageLine{{
			GroupKey: "total", InputTokens: u.InputTokens, OutputTokens: u.OutputTokens, CacheReadTokens: u.CacheReadTokens,
			CacheWriteTokens: u.CacheWriteTokens, CostUSD: u.CostUSD, CallCount: u.Calls,
		}}
	}
	p := output.NewList(a.Stdout, a.Width(), a.format, breakdownView(price))
	for i := range lines {
		if err := p.Print(&lines[i]); err != nil {
			return err
		}
	}
	return p.Close()
}

func breakdownView(price func(*float64) string) *output.View[*apiclient.UsageLine] {
	type line = apiclient.UsageLine
	return &output.View[*line]{
		Empty: "No token usage found.",
		Columns: []output.Column[*line]{
			{Header: "GROUP", Value: func(l *line) string { return l.GroupKey }},
			{Header: "CALLS", Value: func(l *line) string { return number(l.CallCount) }},
			{Header: "INPUT", Value: func(l *line) string { return number(l.InputTokens) }},
			{Header: "OUTPUT", Value: func(l *line) string { return number(l.OutputTokens) }},
			{Header: "CACHE READ", Value: func(l *line) string { return number(l.CacheReadTokens) }},
			{Header: "CACHE WRITE", Value: func(l *line) string { return number(l.CacheWriteTokens) }},
			{Header: "COST", Value: func(l *line) string { return price(l.CostUSD) }},
		},
	}
}

func (a *App) usageOfJob(ctx context.Context, client *apiclient.Client, job string) error {
	records, err := client.UsageOfJob(ctx, job)
	if err != nil {
		return err
	}
	price := cost
	if a.format.Name == output.CSV {
		price = exactCost
	}
	type record = apiclient.UsageRecord
	p := output.NewList(a.Stdout, a.Width(), a.format, &output.View[*record]{Columns: []output.Column[*record]{
		{Header: "CREATED", Value: func(r *record) string { return r.CreatedAt }},
		{Header: "PROVIDER", Value: func(r *record) string { return r.Provider }},
		{Header: "MODEL", Value: func(r *record) string { return r.Model }},
		{Header: "CALL TYPE", Value: func(r *record) string { return r.CallType }},
		{Header: "INPUT", Value: func(r *record) string { return number(r.InputTokens) }},
		{Header: "OUTPUT", Value: func(r *record) string { return number(r.OutputTokens) }},
		{Header: "COST", Value: func(r *record) string { return price(r.CostUSD) }},
	}})
	for i := range records {
		if err := p.Print(&records[i]); err != nil {
			return err
		}
	}
	return p.Close()
}
