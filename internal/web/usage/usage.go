// Package usage has the pages about token usage: /usage with totals, a chart, reports and budgets, /usage/budgets, and
// the calls of a job.
package usage

import (
	"embed"
	"net/http"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/internal/manage/usage/book"
	"keywright.dev/keywright/internal/web"
)

//go:embed templates
var files embed.FS

var (
	usageView   = web.NewView(files, "templates/usage.html", "templates/parts.html")
	budgetsView = web.NewView(files, "templates/budgets.html", "templates/parts.html")
	jobView     = web.NewView(files, "templates/job.html", "templates/parts.html")
)

// Budgets lists the budgets in force, the most used ones first. In the server it is a *book.Book.
type Budgets interface {
	List() []book.Line
}

type pages struct {
	*tokenusage.Service
	budgets Budgets
}

// New serves the pages about token usage.
func New(service *tokenusage.Service, budgets Budgets) httpapi.Group {
	p := &pages{service, budgets}
	return httpapi.Group{API: web.API, Routes: []httpapi.Route{
		web.Get("/usage", p.overview),
		web.Get("/usage/budgets", p.allBudgets),
		web.Get("/usage/jobs/{job}", p.job),
	}}
}

// shownBudgets is how many budgets are on the first page.
const shownBudgets = 10

// overview is the data of /usage.
type overview struct {
	Filters *filters
	Cards   []card
	Models  []top
	Jobs    []top
	// Empty: no call was ever reported in the last 30 days, and none is asked for.
	Empty     bool
	Chart     *chartPart
	Report    *reportPart
	Budgets   []budgetLine
	MoreCount int
	// Problem is why the filters were refused.
	Problem string
}

func (p *pages) overview(c *httpapi.Call) {
	caller := c.Manager()
	summary, err := p.Summary(c.R.Context(), caller, func() (none struct{}, err error) { return none, nil })
	if err != nil {
		web.Fail(c, err)
		return
	}
	f := readFilters(c.R.URL.Query(), c.Gate.Now())
	shown := overview{
		Filters: f, Cards: cardsOf(summary), Models: topsOf(summary.TopModels, nil), Jobs: topsOf(summary.TopJobs, jobPath),
	}
	all := p.budgets.List()
	shown.Budgets = budgetLines(all[:min(shownBudgets, len(all))])
	shown.MoreCount = len(all) - len(shown.Budgets)
	status := http.StatusOK
	if err := p.report(c, caller, f, &shown); manage.Is(err, manage.Invalid) {
		status = http.StatusBadRequest
		shown.Problem = f.explain(err)
	} else if err != nil {
		web.Fail(c, err)
		return
	}
	shown.Empty = summary.Month.Calls == 0 && shown.Report != nil && shown.Report.Totals.Calls == 0 && !f.Given
	web.Render(c, web.Page{
		Title: "Token usage", Section: web.Usage, View: usageView, Data: &shown, Status: status,
	})
}

// report adds the chart and the table.
func (p *pages) report(c *httpapi.Call, caller manage.Caller, f *filters, shown *overview) error {
	read := func() (usage.Query, error) { return tokenusage.QueryOf(f.parameters()) }
	report, err := p.Report(c.R.Context(), caller, read)
	if err != nil {
		return err
	}
	line, err := p.Timeline(c.R.Context(), caller, read)
	if err != nil {
		return err
	}
	shown.Chart = chartOf(line, f.Show, report.Unpriced)
	shown.Report = reportOf(report, f)
	return nil
}
