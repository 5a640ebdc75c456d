package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli/output"
)

// cost prints dollars and cents: N/A if a price was unknown.
func cost(dollars *json.Number) string {
	if dollars == nil {
		return "N/A"
	}
	exact, ok := new(big.Rat).SetString(dollars.String())
	if !ok {
		return dollars.String()
	}
	return "$" + exact.FloatString(2)
}

// exactCost is for other programs.
func exactCost(dollars *json.Number) string {
	if dollars == nil {
		return ""
	}
	return dollars.String()
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
	if u.CoversSince != nil {
		a.Notef("Jobs are known of calls that were received since %s.", *u.CoversSince)
	}
	price := exactCost
	if a.format.Name != output.CSV {
		price = cost
		a.Printf("Calls: %d\nInput tokens: %d\nOutput tokens: %d\nCache read tokens: %d\nCache write tokens: %d\nCost: %s\n",
			u.Calls, u.InputTokens, u.OutputTokens, u.CacheReadTokens, u.CacheWriteTokens, cost(u.CostUSD))
		if u.UnpricedCalls > 0 && u.CostUSD != nil {
			a.Notef("The cost leaves out %d calls: no price is known for them.", u.UnpricedCalls)
		}
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

func breakdownView(price func(*json.Number) string) *output.View[*apiclient.UsageLine] {
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
	found, err := client.UsageOfJob(ctx, job)
	if err != nil {
		return err
	}
	if found.Truncated {
		a.Warnf("the job has more calls than these %d: keywright admin token-usage export has all", len(found.Records))
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
	for i := range found.Records {
		if err := p.Print(&found.Records[i]); err != nil {
			return err
		}
	}
	return p.Close()
}
