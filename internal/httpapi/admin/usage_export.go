package admin

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/internal/program/spreadsheet"
)

const (
	formatCSV   = "csv"
	formatLines = "ndjson"
	// exportBuffer is how much of an export is sent at once. Until that much is read, an error has a reply of its own.
	exportBuffer = 64 << 10
	// exportPause is how long a client may take for that.
	exportPause = 30 * time.Second
)

// export replies with records one after the other, however many there are. If it can't continue, the connection is cut,
// so that what was sent does not look complete.
func (h *usageRoutes) export(c *httpapi.Call) {
	format := ""
	each, err := h.Export(c.Manager(), func() (q usage.Query, err error) {
		q, format, err = readExport(c.R.URL.RawQuery)
		return q, err
	})
	if err != nil {
		failUsage(c, err)
		return
	}
	if c.R.Method == http.MethodHead {
		setExportHeaders(c.W.Header(), format)
		return
	}
	out := &exportWriter{w: c.W, control: http.NewResponseController(c.W), format: format}
	buffer := bufio.NewWriterSize(out, exportBuffer)
	write, flush := recordWriter(buffer, format)
	err = each(c.R.Context(), write)
	if err == nil {
		err = flush()
	}
	if err == nil {
		err = buffer.Flush()
	}
	switch {
	case err == nil && !out.begun:
		setExportHeaders(c.W.Header(), format)
	case err != nil && !out.begun:
		failUsage(c, err)
	case err != nil:
		c.Log.WarnContext(c.R.Context(), "An export of token usage was cut off", "error", err.Error())
		panic(http.ErrAbortHandler)
	}
}

func readExport(raw string) (q usage.Query, format string, err error) {
	values, err := readParameters(raw, exportParameters)
	if err != nil {
		return q, "", err
	}
	switch format = values[paramFormat]; format {
	case "":
		format = formatCSV
	case formatCSV, formatLines:
	default:
		return q, "", manage.InvalidField(paramFormat, "must be csv or ndjson")
	}
	q, err = tokenusage.QueryOf(values)
	return q, format, err
}

func setExportHeaders(header http.Header, format string) {
	media := mediaLines
	if format == formatCSV {
		media = "text/csv; charset=utf-8"
	}
	header.Set("Content-Type", media)
	header.Set("Content-Disposition", `attachment; filename="token-usage.`+format+`"`)
}

// exportWriter begins the reply with the first write, and gives the client some time for each one.
type exportWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	format  string
	begun   bool
}

func (e *exportWriter) Write(part []byte) (int, error) {
	if !e.begun {
		e.begun = true
		setExportHeaders(e.w.Header(), e.format)
	}
	// Writers of tests have no deadline.
	_ = e.control.SetWriteDeadline(time.Now().Add(exportPause))
	return e.w.Write(part)
}

// recordWriter returns a function that writes one record, and one that ends the export.
func recordWriter(out io.Writer, format string) (write func(*usage.Record) error, flush func() error) {
	if format == formatLines {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		return func(r *usage.Record) error { return encoder.Encode(usageRecordOf(r)) }, func() error { return nil }
	}
	table := csv.NewWriter(out)
	// The writer keeps an error until Flush.
	_ = table.Write(exportColumns)
	return func(r *usage.Record) error { return table.Write(spreadsheet.Safe(cellsOf(r))) }, func() error {
		table.Flush()
		return table.Error()
	}
}

var exportColumns = []string{
	"id", "job_id", "created_at", "received_at", "ai_provider", "ai_model", "call_type", "input_tokens", "output_tokens",
	"cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "total_tokens", "cost_usd", "price", "duration_ms",
	"prompt_chars", "response_chars", "service_tier", "status", "tags", "key", "owner", "namespace",
}

// cellsOf returns the cells of a record. What is unknown is empty.
func cellsOf(r *usage.Record) []string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	cost, duration := "", ""
	if r.Cost != nil {
		cost = r.Cost.String()
	}
	if r.DurationMS != nil {
		duration = number(*r.DurationMS)
	}
	return []string{
		r.ID, r.Job, r.At.UTC().Format(time.RFC3339Nano), r.ReceivedAt.UTC().Format(time.RFC3339Nano), r.Provider, r.Model,
		r.CallType, number(r.Input), number(r.Output), number(r.CacheRead), number(r.CacheWrite), number(r.Reasoning),
		number(r.Input + r.Output), cost, r.Price, duration, number(r.PromptChars), number(r.ResponseChars), r.ServiceTier,
		r.Status, strings.Join(r.Tags, ","), r.Reporter.Key, r.Reporter.Subject, r.Reporter.Namespace,
	}
}
