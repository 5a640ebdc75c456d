package usage

import (
	"time"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/internal/web"
)

// jobPage is the data of /usage/jobs/{job}.
type jobPage struct {
	Name   string
	Totals usage.Totals
	// Tokens are input and output, and Cached those besides that were read from a cache or written to one.
	Tokens   int64
	Cached   int64
	Cost     cost
	Unpriced string
	Calls    []call
	Pager    pager
	// Truncated: the job has more calls than are counted here.
	Truncated   bool
	CoversSince time.Time
}

// call is a record as it is shown.
type call struct {
	*usage.Record
	Cost     cost
	Duration string
	Failed   bool
}

func (p *pages) job(c *httpapi.Call) {
	name := c.Param("job")
	job, err := p.Job(c.R.Context(), c.Manager(), name, func() (none struct{}, err error) { return none, nil })
	if err != nil {
		web.Fail(c, err)
		return
	}
	shown := jobPage{Name: name, Truncated: job.Truncated, CoversSince: job.CoversSince, Pager: pager{Noun: "call"}}
	for i := range job.Records {
		one := usage.TotalsOf(&job.Records[i])
		shown.Totals.Add(&one)
	}
	shown.Tokens, shown.Cached = shown.Totals.Total(), shown.Totals.Cached()
	shown.Cost, shown.Unpriced = costOf(&shown.Totals), unpriced(&shown.Totals)
	from, to := shown.Pager.set(len(job.Records), pageOf(c.R.URL.Query().Get(paramPage)), func(page string) string {
		return jobPath(name) + "?page=" + page
	})
	for i := range job.Records[from:to] {
		shown.Calls = append(shown.Calls, callOf(&job.Records[from+i]))
	}
	web.Render(c, web.Page{Title: "Job " + name, Section: web.Usage, View: jobView, Data: &shown})
}

func callOf(r *usage.Record) call {
	one := usage.TotalsOf(r)
	shown := call{Record: r, Cost: costOf(&one), Failed: r.Status == usage.StatusError}
	if r.DurationMS != nil {
		shown.Duration = duration(float64(*r.DurationMS))
	}
	return shown
}
