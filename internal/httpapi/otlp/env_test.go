package otlp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/otlp"
	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/test/fakeobjects"
)

// Keys of an APIKey that may report usage, and of one that may not.
const (
	reporterKey  = "an-api-key-of-a-program-that-reports-usage"
	powerlessKey = "a-key-of-a-program-without-rights"
)

const (
	protobuf  = "application/x-protobuf"
	mediaJSON = "application/json"
)

// store keeps the records that are new, and fails with err. The other methods of usage.Store are not called.
type store struct {
	usage.Store

	mu      sync.Mutex
	records []usage.Record
	known   map[string]bool
	err     error
	// failAfter is how many batches are stored before err.
	failAfter int
}

func (s *store) Append(_ context.Context, records []usage.Record) (added []*usage.Record, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil && s.failAfter == 0 {
		return nil, s.err
	}
	s.failAfter--
	for i := range records {
		r := &records[i]
		if id := r.Reporter.Subject + " " + r.ID; !s.known[id] {
			s.known[id] = true
			s.records = append(s.records, *r)
			added = append(added, r)
		}
	}
	return added, nil
}

// database is the database as the guard sees it.
type database struct{ err error }

func (d *database) Err() error                       { return d.err }
func (*database) Touch(context.Context, string) bool { return false }

var errAway = errors.New("connection refused")

// env is a server of /v1/traces.
type env struct {
	*fakeobjects.Fixture
	http.Handler
	store    *store
	database *database
	bodies   *httpapi.Bodies
}

func newEnv(tb testing.TB) *env {
	tb.Helper()
	f := fakeobjects.NewFixture(tb)
	program := v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "assistant"}
	f.PutKey("reporter", program, reporterKey, func(k *v1alpha1.APIKey) {
		k.Spec.Scopes = []v1alpha1.Scope{tokenusage.ActionWrite}
	})
	f.PutKey("powerless", program, powerlessKey, nil)
	e := &env{Fixture: f, store: &store{known: map[string]bool{}}, database: &database{}}
	e.bodies = &httpapi.Bodies{Limit: usage.MaxBody, Total: 2 * usage.MaxBody}
	mux := http.NewServeMux()
	httpapi.Mount(mux, &httpapi.Guard{Gate: f.Gate, Sessions: e.database, Database: e.database, Log: f.Logger()},
		otlp.New(tokenusage.New(tokenusage.Config{Gate: f.Gate, Store: e.store, Now: f.Time}), e.bodies))
	e.Handler = mux
	return e
}

// sent is a request. Zero fields stand for an export by the reporter, in protobuf.
type sent struct {
	method, path, key, contentType, encoding string
	body                                     []byte
	// reader replaces body.
	reader io.Reader
}

func (e *env) send(s sent) *httptest.ResponseRecorder {
	reader := s.reader
	if reader == nil {
		reader = bytes.NewReader(s.body)
	}
	r := httptest.NewRequest(or(s.method, http.MethodPost), or(s.path, "/v1/traces"), reader)
	r.Header.Set("Authorization", "Bearer "+or(s.key, reporterKey))
	r.Header.Set("Content-Type", or(s.contentType, protobuf))
	if s.encoding != "" {
		r.Header.Set("Content-Encoding", s.encoding)
	}
	return e.serve(r)
}

func (e *env) serve(r *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	e.ServeHTTP(recorder, r)
	return recorder
}

func or(given, otherwise string) string {
	if given == "" {
		return otherwise
	}
	return given
}

// export returns a request with n AI calls, each with an id of its own.
func export(n int) ptraceotlp.ExportRequest {
	traces := ptrace.NewTraces()
	spans := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	spans.EnsureCapacity(n)
	for i := range n {
		span := spans.AppendEmpty()
		span.SetTraceID([16]byte{15: 1})
		span.SetSpanID([8]byte{byte(i), byte(i >> 8), byte(i >> 16), 7: 1})
		span.SetStartTimestamp(pcommon.Timestamp(1_796_024_350_000_000_000))
		span.SetEndTimestamp(pcommon.Timestamp(1_796_024_351_000_000_000))
		span.Attributes().PutStr("gen_ai.provider.name", "openai")
		span.Attributes().PutStr("gen_ai.response.model", "gpt-4o")
		span.Attributes().PutInt("gen_ai.usage.input_tokens", int64(i))
	}
	return ptraceotlp.NewExportRequestFromTraces(traces)
}

func marshal(tb testing.TB, request ptraceotlp.ExportRequest, contentType string) []byte {
	tb.Helper()
	encode := request.MarshalProto
	if contentType == mediaJSON {
		encode = request.MarshalJSON
	}
	body, err := encode()
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

func zip(tb testing.TB, body []byte) []byte {
	tb.Helper()
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(body); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return zipped.Bytes()
}

// partial returns the partial success of a reply, which must be a result of an export in this format.
func partial(tb testing.TB, reply *httptest.ResponseRecorder, contentType string) ptraceotlp.ExportPartialSuccess {
	tb.Helper()
	if got := reply.Header().Get("Content-Type"); reply.Code != http.StatusOK || got != contentType {
		tb.Fatalf("%d, %s: %q", reply.Code, got, reply.Body)
	}
	response := ptraceotlp.NewExportResponse()
	decode := response.UnmarshalProto
	if contentType == mediaJSON {
		decode = response.UnmarshalJSON
	}
	if err := decode(reply.Body.Bytes()); err != nil {
		tb.Fatal(err)
	}
	return response.PartialSuccess()
}
