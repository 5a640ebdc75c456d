package usage_test

import (
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/internal/manage/usage/book"
	pages "keywright.dev/keywright/internal/web/usage"
	"keywright.dev/keywright/test/fakeobjects"
	"keywright.dev/keywright/test/pagekit"
)

// budgets are those in force.
type budgets []book.Line

func (b budgets) List() []book.Line { return b }

type env struct {
	*pagekit.Site
	db *database.DB
}

func newEnv(t *testing.T, lines ...book.Line) *env {
	t.Helper()
	db, err := database.Open(t.Context(), filepath.Join(t.TempDir(), "k.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	f := fakeobjects.NewFixture(t)
	service := tokenusage.New(tokenusage.Config{Gate: f.Gate, Store: db.Usage(), Now: f.Time})
	return &env{pagekit.New(f, pages.New(service, budgets(lines))), db}
}

// call returns a call of today with a cost of a dollar and a half, which a change may change.
func (e *env) call(id string, change ...func(*usage.Record)) usage.Record {
	now := e.Time()
	r := usage.Record{
		ID: id, At: now, ReceivedAt: now, Provider: "acme", Model: "large", CallType: "chat", Job: "nightly",
		Status: usage.StatusOK, Tokens: usage.Tokens{Input: 1000, Output: 200, CacheRead: 30, CacheWrite: 4},
		Cost: new(3 * usage.Dollar / 2), DurationMS: new(int64(1500)), Tags: []string{"eu"},
		Reporter: usage.Reporter{KeyUID: "u", Key: "team/ci", Subject: "Account/ci", Namespace: "team"},
	}
	for _, each := range change {
		each(&r)
	}
	return r
}

func unpriced(r *usage.Record) { r.Model, r.Cost = "new", nil }

func yesterday(r *usage.Record) { r.At = r.At.AddDate(0, 0, -1) }

func (e *env) store(t *testing.T, records ...usage.Record) {
	t.Helper()
	if added, err := e.db.Usage().Append(t.Context(), records); len(added) != len(records) || err != nil {
		t.Fatal(len(added), err)
	}
}

// cells returns the texts of a column of the report, by its label.
func cells(r *pagekit.Reply, label string) (all []string) {
	r.Find(`#report ~ .table-wrap [data-label="` + label + `"]`).Each(func(_ int, s *goquery.Selection) {
		all = append(all, strings.Join(strings.Fields(s.Text()), " "))
	})
	return all
}

func TestUsage_IsForReaders(t *testing.T) {
	e := newEnv(t)
	e.store(t, e.call("1"))
	for _, path := range []string{
		"/usage", "/usage?start_date=x", "/usage/budgets", "/usage/jobs/nightly", "/usage/jobs/none",
	} {
		e.Get(t, pagekit.Named("bob"), path).Has(t, 403, "Admin access required")
		e.Get(t, pagekit.Anonymous, path).Leads(t, "/register?next="+url.QueryEscape(path))
	}
}

func TestUsage_WithoutCallsSaysWhatToDo(t *testing.T) {
	r := newEnv(t).Get(t, pagekit.Alice, "/usage")
	r.Has(t, 200, "No AI call is reported yet", "scope usage.write", "No key and no role has a budget")
	if r.Find("svg.chart").Length() > 0 {
		t.Error("an empty chart is shown")
	}
}

func TestUsage_ShowsCardsTopsChartAndReport(t *testing.T) {
	e := newEnv(t)
	e.store(t, e.call("1"), e.call("2", yesterday), e.call("3", unpriced),
		e.call("4", func(r *usage.Record) { r.At, r.Cost = r.At.AddDate(0, 0, -20), new(usage.Money(1)) }))
	r := e.Get(t, pagekit.Alice, "/usage")
	r.Has(t, 200,
		"Today $1.50 2 calls · 2,400 tokens · 68 cached without 1 call of unknown price", "Last 7 days $3.00 3 calls",
		"Last 30 days $3.00",
		"acme / large", "nightly", "1 call has no known price, and is left out.")
	if got := cells(r, "Model"); !slices.Equal(got, []string{"acme / large", "acme / new"}) {
		t.Errorf("%q", got)
	}
	if got := cells(r, "Cost"); !slices.Equal(got, []string{"$3.00", "unknown price"}) {
		t.Errorf("%q", got)
	}
	if got := r.Find("svg.chart g").Length(); got != 3 {
		t.Errorf("%d columns, want those of the days with costs", got)
	}
	const description = "$3.00 in all, from 2029-12-03 to 2030-01-01. The table below has the numbers."
	if got := r.Find("svg.chart > desc").Text(); got != description {
		t.Error(got)
	}
	if found := r.Find("[style], script:not([src]), style"); found.Length() > 0 {
		t.Errorf("the policy forbids %s", found.Text())
	}
	jobs := e.Get(t, pagekit.Alice, "/usage?group_by=job")
	if path := jobs.Find(`#report ~ .table-wrap th[data-label="Job"] a`).AttrOr("href", ""); path != "/usage/jobs/nightly" {
		t.Error(path)
	}
}

func TestUsage_FiltersAreInTheAddress(t *testing.T) {
	e := newEnv(t)
	e.store(t, e.call("1"), e.call("2", yesterday, func(r *usage.Record) { r.Provider = "zen" }))
	r := e.Get(t, pagekit.Alice, "/usage?"+url.Values{
		"start_date": {"2029-12-31"}, "end_date": {"2029-12-31"}, "tz": {"Europe/Berlin"}, "ai_provider": {"zen"},
		"group_by": {"day"}, "show": {"tokens"}, "sort": {"calls"}, "order": {"asc"}, "unknown": {"x"},
	}.Encode())
	r.Has(t, 200, "Tokens by hour")
	if got := cells(r, "Day"); !slices.Equal(got, []string{"2029-12-31"}) {
		t.Errorf("%q", got)
	}
	for name, want := range map[string]string{
		"start_date": "2029-12-31", "end_date": "2029-12-31", "tz": "Europe/Berlin", "ai_provider": "zen", "sort": "calls",
		"order": "asc",
	} {
		if got := r.Value(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	const csv = "/api/admin/token-usage/export?ai_provider=zen&end_date=2029-12-31&format=csv&start_date=2029-12-31" +
		"&tz=Europe%2FBerlin"
	if got := r.Find("a[download]").AttrOr("href", ""); got != csv {
		t.Error(got)
	}
	if got := r.Find("#group_by option[selected]").Text() + r.Find("#show option[selected]").Text(); got != "DayTokens" {
		t.Error(got)
	}
	head := r.Find("thead th[aria-sort]")
	if head.Text() != "Calls" || head.AttrOr("aria-sort", "") != "ascending" ||
		!strings.Contains(head.Find("a").AttrOr("href", ""), "order=desc") {
		t.Error(head.Html())
	}
	r.Find("main a[href]").Each(func(_ int, a *goquery.Selection) {
		if strings.Contains(a.AttrOr("href", ""), "unknown=") {
			t.Error("an unknown parameter is passed on")
		}
	})
	e.Get(t, pagekit.Alice, "/usage?ai_model=none").Has(t, 200, "No calls match", "Nothing was called in this time.")
}

func TestUsage_Periods(t *testing.T) {
	e := newEnv(t)
	e.store(t, e.call("1"), e.call("2", yesterday),
		e.call("3", func(r *usage.Record) { r.At = r.At.AddDate(-3, 0, 0) }))
	for query, want := range map[string]string{
		"period=today": "Calls1", "period=7d": "Calls2", "": "Calls2", "period=all": "Calls3", "period=nonsense": "Calls2",
		"period=today&tz=America/New_York": "Calls1", "start_date=2030-01-01T00:00:00Z": "Calls1",
		"end_date=2029-12-31": "Calls2",
	} {
		r := e.Get(t, pagekit.Alice, "/usage?"+query)
		if got := strings.Join(strings.Fields(r.Find("#report ~ dl > div").Eq(1).Text()), " "); r.Code != 200 || got != want {
			t.Errorf("%s: %d %s, want %s", query, r.Code, got, want)
		}
	}
}

// What was typed stays, with its problem beside it.
func TestUsage_BadFiltersKeepWhatWasTyped(t *testing.T) {
	e := newEnv(t)
	e.store(t, e.call("1"))
	long := strings.Repeat("x", 300)
	for _, c := range []struct{ name, typed, problem string }{
		{"start_date", "yesterday", "Must be a day such as 2030-01-31"},
		{"end_date", "2030-13-01", "Must be a day such as 2030-01-31"},
		{"end_date", `"><script>alert(1)</script>`, "Must be a day such as 2030-01-31"},
		{"tz", "Mars/Olympus", "Must be a time zone such as Europe/Berlin"}, {"ai_model", long, "Must be"},
	} {
		r := e.Get(t, pagekit.Alice, "/usage?"+url.Values{c.name: {c.typed}}.Encode())
		r.Has(t, 400, c.problem, "The report needs a correction", "Today $1.50")
		input := r.Find(`input[name="` + c.name + `"]`)
		if input.AttrOr("value", "") != c.typed || input.AttrOr("aria-invalid", "") != "true" ||
			!strings.Contains(r.Find("#"+input.AttrOr("aria-describedby", "none")).Text(), c.problem) {
			t.Errorf("%s: %q", c.name, input.AttrOr("value", ""))
		}
		if c.name == "end_date" && input.AttrOr("type", "") != "text" {
			t.Error("an input for days does not show what was typed")
		}
	}
	e.Get(t, pagekit.Alice, "/usage?group_by=color").Has(t, 400, "Invalid group_by value. Valid: call_type, day")
	e.Get(t, pagekit.Alice, "/usage?start_date=2030-01-02&end_date=2030-01-01").Has(t, 400, "Must be after start_date")
}

// Names come from clients.
func TestUsage_EscapesNames(t *testing.T) {
	e := newEnv(t)
	const hostile = `</title><script>alert(1)</script>"'&=cmd`
	e.store(t, e.call("1", func(r *usage.Record) {
		r.Provider, r.Model, r.Job, r.CallType, r.Tags = hostile, hostile, hostile, hostile, []string{hostile}
	}))
	for _, path := range []string{
		"/usage", "/usage?group_by=tag", "/usage?group_by=job", "/usage/jobs/" + url.PathEscape(hostile),
	} {
		r := e.Get(t, pagekit.Alice, path)
		r.Has(t, 200, hostile)
		if strings.Contains(r.Body.String(), "<script>alert") {
			t.Errorf("%s: a script is in the page", path)
		}
	}
	jobs := e.Get(t, pagekit.Alice, "/usage?group_by=job")
	e.Get(t, pagekit.Alice, jobs.Find(`th[data-label="Job"] a`).AttrOr("href", "")).Has(t, 200, "Job "+hostile)
}

func TestUsage_PagesManyGroups(t *testing.T) {
	e := newEnv(t)
	for batch := range 3 {
		var records []usage.Record
		for i := range 100 {
			records = append(records, e.call(fmt.Sprint(batch, i), func(r *usage.Record) {
				r.Model = fmt.Sprintf("m%03d", 100*batch+i)
				r.Cost = new(usage.Money(100*batch+i+1) * usage.Dollar)
			}))
		}
		e.store(t, records[:min(100, 250-100*batch)]...)
	}
	first := e.Get(t, pagekit.Alice, "/usage")
	if got := cells(first, "Model"); len(got) != 100 || got[0] != "acme / m249" {
		t.Error(len(got), got)
	}
	first.Has(t, 200, "1–100 of 250 groups")
	second := e.Get(t, pagekit.Alice, first.Find("a[rel=next]").AttrOr("href", ""))
	if got := cells(second, "Model"); len(got) != 100 || got[0] != "acme / m149" {
		t.Error(len(got), got)
	}
	for _, page := range []string{"3", "999", "-1", "x"} {
		e.Get(t, pagekit.Alice, "/usage?page="+page).Has(t, 200, "of 250 groups")
	}
	last := e.Get(t, pagekit.Alice, "/usage?page=999&sort=group&order=asc")
	if got := cells(last, "Model"); len(got) != 50 || got[49] != "acme / m249" || last.Find("a[rel=next]").Length() > 0 {
		t.Error(len(got), got)
	}
}

func TestUsage_SortsByEveryColumn(t *testing.T) {
	e := newEnv(t)
	e.store(t, e.call("1", func(r *usage.Record) { r.Model = "a" }),
		e.call("2", func(r *usage.Record) {
			r.Model, r.Cost, r.DurationMS = "b", nil, nil
			r.Tokens = usage.Tokens{Input: 5000, Output: 5000, CacheRead: 5000, CacheWrite: 5000}
		}), e.call("3", func(r *usage.Record) {
			r.Model, r.Cost, r.DurationMS, r.Tokens = "b", nil, nil, usage.Tokens{}
		}))
	for by, highest := range map[string]string{
		"group": "b", "calls": "b", "input": "b", "output": "b", "cache_read": "b", "cache_write": "b", "cost": "a",
		"average":  "a",
		"nonsense": "a",
	} {
		for _, order := range []string{"desc", "asc"} {
			if by == "nonsense" && order == "asc" {
				continue
			}
			got := cells(e.Get(t, pagekit.Alice, "/usage?sort="+by+"&order="+order), "Model")
			if len(got) != 2 || (got[0] == "acme / "+highest) != (order == "desc") {
				t.Errorf("%s %s: %q", by, order, got)
			}
		}
	}
}

func line(unit budget.Unit, amount, used int64, state book.State, warns bool) book.Line {
	return book.Line{
		Owner: budget.Owner{Key: "team/ci"}, State: state, Used: used, Resets: time.Date(2030, 2, 1, 0, 0, 0, 0, time.UTC),
		Budget: budget.Budget{Name: "b", Unit: unit, Amount: amount, Period: budget.Month, Warns: warns},
	}
}

func TestBudgets_SayHowFarTheyAreUsed(t *testing.T) {
	for want, one := range map[string]book.Line{
		"$12.50 of $10.00 (125 %) used up: requests are refused": line(
			budget.NanoDollars, 10e9, 12_500_000_000, book.UsedUp, false,
		),
		"$12.50 of $10.00 (125 %) used up: warns": line(
			budget.NanoDollars, 10e9, 12_500_000_000, book.UsedUp, true,
		),
		"999 tokens of 1,000 tokens (99 %) almost used up": line(budget.Tokens, 1000, 999, book.Within, false),
		"1 tokens of 1,000 tokens (0 %) within":            line(budget.Tokens, 1000, 1, book.Within, false),
		"not known of 1,000 tokens not known yet":          line(budget.Tokens, 1000, 0, book.Unknown, false),
		"5 tokens of 0 tokens (100 %) used up":             line(budget.Tokens, 0, 5, book.UsedUp, false),
		"over 999 %":                                       line(budget.Tokens, 1, 1<<62, book.UsedUp, false),
	} {
		e := newEnv(t, one)
		for _, path := range []string{"/usage", "/usage/budgets"} {
			r := e.Get(t, pagekit.Alice, path)
			r.Has(t, 200, want, "APIKey/team/ci")
			if r.Find("svg.meter").Length() != 1 {
				t.Error("no bar")
			}
		}
	}
}

func TestBudgets_ArePaged(t *testing.T) {
	e := newEnv(t, slices.Repeat([]book.Line{line(budget.Tokens, 10, 5, book.Within, false)}, 230)...)
	e.Get(t, pagekit.Alice, "/usage").Has(t, 200, "All budgets (220 more)")
	e.Get(t, pagekit.Alice, "/usage/budgets").Has(t, 200, "1–100 of 230 budgets")
	if r := e.Get(t, pagekit.Alice, "/usage/budgets?page=3"); r.Find("tbody tr").Length() != 30 {
		t.Error(r.Main())
	}
}

func TestJob_ShowsItsCalls(t *testing.T) {
	e := newEnv(t)
	e.store(t, e.call("1", yesterday), e.call("2", unpriced, func(r *usage.Record) { r.Status = usage.StatusError }),
		e.call("3", func(r *usage.Record) { r.Job = "a/b" }))
	r := e.Get(t, pagekit.Alice, "/usage/jobs/nightly")
	r.Has(t, 200, "Job nightly", "$1.50", "without 1 call of unknown price", "unknown price", "error", "1.5s", "team/ci",
		"eu",
		"may have been removed")
	if rows := r.Find("tbody tr").Length(); rows != 2 {
		t.Error(rows)
	}
	e.Get(t, pagekit.Alice, "/usage/jobs/a%2Fb").Has(t, 200, "Job a/b")
	e.Get(t, pagekit.Alice, "/usage/jobs/none").Has(t, 404, "No token usage records found for this job")
}

func TestUsage_WithoutTheDatabase(t *testing.T) {
	e := newEnv(t)
	_ = e.db.Close()
	r := e.Get(t, pagekit.Alice, "/usage?ai_model=large")
	r.Has(t, 503, "The server can't do this now")
	if r.Find(`main a[href="/usage?ai_model=large"]`).Length() != 1 {
		t.Error("no way to try again")
	}
}
