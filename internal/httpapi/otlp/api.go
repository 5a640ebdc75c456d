package otlp

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/internal/manage/usage/genai"
)

// API is what /v1/traces replies besides results of exports.
var API = &httpapi.API{Name: "traces", Prefix: "/v1/traces", Refuse: refuse, Unmatched: unmatched, RefusesForGate: true}

type handler struct {
	usage  *tokenusage.Service
	bodies *httpapi.Bodies
	// decoding has one place: a decoded request takes several times the memory of its body.
	decoding chan struct{}
}

// New serves /v1/traces. The bodies are shared with the other endpoints that take records.
func New(service *tokenusage.Service, bodies *httpapi.Bodies) httpapi.Group {
	h := &handler{usage: service, bodies: bodies, decoding: make(chan struct{}, 1)}
	return httpapi.Group{API: API, Routes: []httpapi.Route{{Method: http.MethodPost, Serve: h.export}}}
}

// export records the AI calls among the spans of a request. A request that fails may be sent again as a whole: what is
// stored already counts once.
func (h *handler) export(c *httpapi.Call) {
	caller := c.Manager()
	if err := h.usage.MayRecord(caller); err != nil {
		fail(c, err)
		return
	}
	records, rejected, err := h.read(c)
	if err != nil {
		fail(c, err)
		return
	}
	records = h.usage.Sift(records, func(r *usage.Record, wrong *usage.FieldError) { rejected.Add(r.ID, wrong) })
	for batch := range slices.Chunk(records, usage.MaxBatch) {
		if _, err := h.usage.Record(c.R.Context(), caller, batch); err != nil {
			fail(c, err)
			return
		}
	}
	if rejected.Spans > 0 {
		c.Log.WarnContext(c.R.Context(), "Spans with token usage were rejected",
			"subject", caller.Subject, "spans", rejected.Spans, "first", rejected.First)
	}
	succeed(c.W, c.R, &rejected)
}

// read returns the records of the body. It decodes one body at a time.
func (h *handler) read(c *httpapi.Call) (records []usage.Record, rejected genai.Rejected, err error) {
	f, err := formatOf(c.R)
	if err != nil {
		return nil, rejected, err
	}
	body, release, err := h.bodies.Read(c.W, c.R)
	if err != nil {
		return nil, rejected, err
	}
	defer release()
	h.decoding <- struct{}{}
	defer func() { <-h.decoding }()
	traces, err := f.decode(body)
	if err != nil {
		return nil, rejected, err
	}
	records, rejected = genai.Read(traces)
	return records, rejected, nil
}

// fail replies with an error. The cause of a failure of the server goes to the log only.
func fail(c *httpapi.Call, err error) {
	var body *httpapi.BodyError
	var refusal *manage.Error
	switch {
	case errors.As(err, &body):
		c.Refuse(body.Status, body.Text)
	case errors.As(err, &refusal) && refusal.Kind != manage.Failed && refusal.Kind != manage.Unavailable:
		c.Refuse(httpapi.Status(refusal.Kind), refusal.Error())
	default:
		c.Log.WarnContext(c.R.Context(), "Token usage from spans can't be recorded", "error", err.Error())
		c.RefuseUnavailable("The server can't record token usage now")
	}
}

func unmatched(c *httpapi.Call, allowed []string) {
	switch {
	case !c.Identify(httpapi.Proven):
	case len(allowed) == 0:
		c.Refuse(http.StatusNotFound, "Not found: the only path is /v1/traces")
	default:
		c.W.Header().Set("Allow", strings.Join(allowed, ", "))
		c.Refuse(http.StatusMethodNotAllowed, "Send spans with POST")
	}
}
