package cli

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the machine may have no files of time zones

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

// usageFilter are the flags that choose calls.
type usageFilter struct {
	period string
	apiclient.UsageQuery
}

type usageFlags struct {
	usageFilter
	job, format string
}

func (f *usageFilter) addTo(c *cobra.Command) {
	set := c.Flags()
	set.StringVar(&f.period, "period", "", "today, week, month or all")
	set.StringVar(&f.StartDate, "start-date", "", "the first day or instant: 2030-01-31")
	set.StringVar(&f.EndDate, "end-date", "", "the last day or instant: 2030-01-31")
	set.StringVar(&f.Zone, "tz", "", "the time zone of days, weeks and months: Europe/Berlin")
	set.StringVar(&f.Provider, "provider", "", "only calls of this provider")
	set.StringVar(&f.Model, "model", "", "only calls of this model")
	set.StringVar(&f.CallType, "call-type", "", "only calls of this type")
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
  keywright admin token-usage --period week --group-by day --tz Europe/Berlin
  keywright admin token-usage --group-by provider --format csv
  keywright admin token-usage --job-id abc-123`,
		Args: console.Arguments(0, 0),
	}
	f.addTo(c)
	c.AddCommand(a.repriceCommand())
	set := c.Flags()
	set.StringVar(&f.GroupBy, "group-by", "", strings.Join(groupings, ", "))
	set.StringVar(&f.job, "job-id", "", "the calls of this job")
	set.StringVar(&f.format, "format", "", "table, json or csv; the same as -o")
	completeWords(c, map[string][]string{"period": periods, "group-by": groupings, "format": usageFormats})
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := f.complete(a); err != nil {
			return err
		}
		return a.usage(c.Context(), &f)
	}
	c.AddCommand(a.exportUsageCommand())
	return c
}

// completeWords makes the shell complete flags that take one of some words.
func completeWords(c *cobra.Command, flags map[string][]string) {
	for name, words := range flags {
		_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
}

var usageFormats = []string{output.Table, output.JSON, output.CSV}

// complete checks the flags before anything is sent.
func (f *usageFlags) complete(a *App) error {
	filtered := f.period != "" || f.UsageQuery != apiclient.UsageQuery{Zone: f.Zone}
	switch {
	case f.job != "" && (filtered || f.Zone != ""):
		return console.Usagef("--job-id excludes filters and --group-by")
	case f.Zone != "" && !filtered:
		return console.Usagef("--tz needs a filter or --group-by: the summary is of days in UTC")
	case f.format != "" && a.flags.given("output") && a.flags.output != f.format:
		return console.Usagef("--format %s and -o %s exclude each other", f.format, a.flags.output)
	}
	err := errors.Join(checkWord("group-by", f.GroupBy, groupings), checkWord("format", f.format, usageFormats))
	if err = errors.Join(err, f.usageFilter.complete(a.Now())); err != nil || f.format == "" {
		return err
	}
	a.format, err = output.Parse(f.format)
	return err
}

// complete turns the period into a day, once all flags are found to be good.
func (f *usageFilter) complete(now time.Time) error {
	if f.period != "" && (f.StartDate != "" || f.EndDate != "") {
		return console.Usagef("--period excludes --start-date and --end-date")
	}
	zone, err := time.LoadLocation(f.Zone)
	if err != nil || strings.EqualFold(f.Zone, "local") {
		return console.Usagef("--tz %q must be a time zone such as Europe/Berlin", f.Zone)
	}
	if err := errors.Join(checkWord("period", f.period, periods), f.checkDates()); err != nil {
		return err
	}
	f.StartDate = cmp.Or(f.StartDate, startOf(f.period, now.In(zone)))
	return nil
}

func checkWord(flag, value string, known []string) error {
	if value != "" && !slices.Contains(known, value) {
		return console.Usagef("--%s %q must be one of %s", flag, value, strings.Join(known, ", "))
	}
	return nil
}

func (f *usageFilter) checkDates() error {
	for _, flag := range []struct{ name, value string }{{"start-date", f.StartDate}, {"end-date", f.EndDate}} {
		if _, err := parseInstant(flag.value); flag.value != "" && err != nil {
			return console.Usagef("--%s %q must be a day such as 2030-01-31 or a time such as 2030-01-31T12:00:00Z",
				flag.name, flag.value)
		}
	}
	return nil
}

// startOf returns the first day of a period: that of the summary of the server, but in the time zone of now.
func startOf(period string, now time.Time) string {
	days := map[string]int{"today": 0, "week": 6, "month": 29}
	n, bounded := days[period]
	if !bounded {
		return ""
	}
	return now.AddDate(0, 0, -n).Format(time.DateOnly)
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
