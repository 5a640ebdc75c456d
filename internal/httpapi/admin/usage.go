package admin

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/usage"
)

type usageRoutes struct {
	*tokenusage.Service
	bodies *httpapi.Bodies
}

// Usage serves /api/token-usage, which records usage, and /api/admin/token-usage, which reports it. A job that has the
// name of another route is in reports and exports only.
func Usage(service *tokenusage.Service, bodies *httpapi.Bodies) httpapi.Group {
	h := &usageRoutes{service, bodies}
	route := func(method, path string, serve func(*httpapi.Call)) httpapi.Route {
		return httpapi.Route{Method: method, Path: path, Identification: httpapi.Lenient, Serve: serve}
	}
	const reports = "admin/token-usage"
	return httpapi.Group{API: API, Routes: []httpapi.Route{
		route(http.MethodPost, "token-usage", h.record),
		route(http.MethodGet, reports, h.report),
		route(http.MethodGet, reports+"/summary", h.summary),
		route(http.MethodGet, reports+"/export", h.export),
		route(http.MethodGet, reports+"/{job_id}", h.job),
	}}
}

// retryAfter is how many seconds a reporter waits before it sends the same records again.
const retryAfter = "1"

// failUsage replies with an error. Wrong values are 422 here, where other endpoints of /api answer 400.
func failUsage(c *httpapi.Call, err error) {
	var body *httpapi.BodyError
	var refusal *manage.Error
	switch {
	case errors.As(err, &body):
		refuseUsage(c, body.Status, body.Text)
	case !errors.As(err, &refusal):
		fail(c, err)
	case refusal.Kind == manage.Invalid:
		refuseUsage(c, http.StatusUnprocessableEntity, refusal.Error())
	case refusal.Kind == manage.Unavailable:
		c.W.Header().Set("Retry-After", retryAfter)
		fail(c, err)
	default:
		refuseUsage(c, httpapi.Status(refusal.Kind), refusal.Error())
	}
}

func refuseUsage(c *httpapi.Call, status int, text string) {
	switch status {
	case http.StatusTooManyRequests:
		c.W.Header().Set("Retry-After", retryAfter)
	case http.StatusUnauthorized:
		c.W.Header().Set("WWW-Authenticate", `Bearer realm="keywright"`)
	}
	c.Refuse(status, text)
}

func (h *usageRoutes) record(c *httpapi.Call) {
	caller := c.Manager()
	err := h.MayRecord(caller)
	var records []usage.Record
	if err == nil {
		records, err = h.readRecords(c)
	}
	stored := 0
	if err == nil {
		stored, err = h.Record(c.R.Context(), caller, records)
	}
	if err != nil {
		failUsage(c, err)
		return
	}
	reply(c, struct {
		Stored int `json:"stored"`
	}{stored})
}

func (h *usageRoutes) readRecords(c *httpapi.Call) ([]usage.Record, error) {
	lines, err := isLines(c.R.Header["Content-Type"])
	if err != nil {
		return nil, err
	}
	body, release, err := h.bodies.Read(c.W, c.R)
	if err != nil {
		return nil, err
	}
	defer release()
	return decodeRecords(body, lines)
}

func (h *usageRoutes) report(c *httpapi.Call) {
	report, err := h.Report(c.R.Context(), c.Manager(), func() (usage.Query, error) {
		return readReport(c.R.URL.RawQuery)
	})
	if err != nil {
		failUsage(c, err)
		return
	}
	reply(c, usageReportOf(report))
}

func (h *usageRoutes) summary(c *httpapi.Call) {
	summary, err := h.Summary(c.R.Context(), c.Manager(), func() (struct{}, error) { return noParameters(c) })
	if err != nil {
		failUsage(c, err)
		return
	}
	reply(c, usageSummaryOf(summary))
}

func (h *usageRoutes) job(c *httpapi.Call) {
	name := c.Param("job_id")
	job, err := h.Job(c.R.Context(), c.Manager(), name, func() (struct{}, error) { return noParameters(c) })
	if err != nil {
		failUsage(c, err)
		return
	}
	shown := make([]usageRecord, len(job.Records))
	for i := range job.Records {
		shown[i] = usageRecordOf(&job.Records[i])
	}
	reply(c, usageJob{
		JobID: name, Records: shown, Truncated: job.Truncated, CoversSince: instantOrNull(job.CoversSince),
	})
}

const paramFormat = "format"

var (
	spanParameters   = append(tokenusage.Filters(), tokenusage.ParamStart, tokenusage.ParamEnd, tokenusage.ParamZone)
	exportParameters = append([]string{paramFormat}, spanParameters...)
	reportParameters = append([]string{tokenusage.ParamGroupBy}, spanParameters...)
)

func readReport(raw string) (q usage.Query, err error) {
	values, err := readParameters(raw, reportParameters)
	if err != nil {
		return q, err
	}
	return tokenusage.QueryOf(values)
}

// readParameters refuses what is unknown: if it were ignored, the reply would have what the caller meant to leave out.
func readParameters(raw string, known []string) (map[string]string, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, manage.Errorf(manage.Invalid, "The query can't be read")
	}
	values := map[string]string{}
	for name, given := range query {
		switch {
		case !slices.Contains(known, name):
			return nil, manage.Errorf(manage.Invalid, "%.50q is not a parameter", name)
		case len(given) > 1:
			return nil, manage.InvalidField(name, "is given twice")
		}
		values[name] = given[0]
	}
	return values, nil
}

func noParameters(c *httpapi.Call) (none struct{}, err error) {
	_, err = readParameters(c.R.URL.RawQuery, nil)
	return none, err
}
