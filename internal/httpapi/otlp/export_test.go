package otlp_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/test/fakeobjects"
)

// The files were sent by the SDKs for JavaScript 0.223.1 and for Go 1.47.0. The first also has a span of something
// else.
func TestExport_RecordsWhatTheSDKsSend(t *testing.T) {
	javascript, err := os.ReadFile("testdata/javascript.json")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/go.protobuf.base64")
	if err != nil {
		t.Fatal(err)
	}
	golang, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	reporter := usage.Reporter{
		KeyUID: "uid-of-reporter", Key: "team/reporter", Subject: "Account/assistant", Namespace: "team",
	}
	received := newEnv(t).Time()
	for _, c := range []struct {
		body        []byte
		contentType string
		want        usage.Record
	}{
		{javascript, mediaJSON, usage.Record{
			ID: "55746c120018a54c72b3dc4f996403d7-af0c8940f31f8f58", At: time.UnixMicro(1796024350420000).UTC(),
			Provider: "openai", Model: "gpt-4o-2024-08-06", CallType: "chat", DurationMS: new(int64),
			Tokens: usage.Tokens{Input: 200, Output: 80, CacheRead: 1000, Reasoning: 30}, Status: usage.StatusError,
			ReceivedAt: received, Reporter: reporter,
		}},
		{golang, protobuf, usage.Record{
			Provider: "openai", Model: "text-embedding-3-small", CallType: "embeddings", DurationMS: new(int64),
			Tokens: usage.Tokens{Input: 512}, Status: usage.StatusOK, Tags: []string{"nightly"},
			ReceivedAt: received, Reporter: reporter,
		}},
	} {
		for _, encoding := range []string{"", "gzip", "identity"} {
			e, body := newEnv(t), c.body
			if encoding == "gzip" {
				body = zip(t, body)
			}
			reply := e.send(sent{contentType: c.contentType, encoding: encoding, body: body})
			if got := partial(t, reply, c.contentType); got.RejectedSpans() != 0 || got.ErrorMessage() != "" ||
				len(e.store.records) != 1 {
				t.Fatalf("%s %s: rejected %d: %s, stored %+v", c.contentType, encoding, got.RejectedSpans(),
					got.ErrorMessage(), e.store.records)
			}
			got := e.store.records[0]
			if c.want.ID == "" {
				// These differ each time that the file is captured.
				c.want.ID, c.want.At = got.ID, got.At
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s %s:\ngot  %+v\nwant %+v", c.contentType, encoding, got, c.want)
			}
		}
	}
}

func TestExport_CountsRetriesOnce(t *testing.T) {
	e := newEnv(t)
	for range 3 {
		partial(t, e.send(sent{body: marshal(t, export(5), protobuf)}), protobuf)
		partial(t, e.send(sent{body: marshal(t, export(7), mediaJSON), contentType: mediaJSON}), mediaJSON)
	}
	if len(e.store.records) != 7 {
		t.Errorf("%d records", len(e.store.records))
	}
}

func TestExport_RejectsBadSpansAndStoresTheRest(t *testing.T) {
	for _, contentType := range []string{protobuf, mediaJSON} {
		e, request := newEnv(t), export(4)
		spans := request.Traces().ResourceSpans().At(0).ScopeSpans().At(0).Spans()
		spans.At(0).Attributes().PutInt("gen_ai.usage.cache_read.input_tokens", 7)
		spans.At(1).Attributes().PutStr("gen_ai.conversation.id", fakeobjects.AliceKey)
		spans.At(2).Attributes().PutStr("gen_ai.response.model", strings.Repeat("x", 300))
		got := partial(t, e.send(sent{body: marshal(t, request, contentType), contentType: contentType}), contentType)
		if got.RejectedSpans() != 3 || len(e.store.records) != 1 || e.store.records[0].Input != 3 ||
			!strings.Contains(got.ErrorMessage(), "the cached tokens exceed") ||
			!strings.Contains(got.ErrorMessage(), "and 2 more spans") {
			t.Errorf("rejected %d: %s, stored %+v", got.RejectedSpans(), got.ErrorMessage(), e.store.records)
		}
		if log := e.Log.Take(); !strings.Contains(log, `"msg":"Spans with token usage were rejected"`) ||
			strings.Contains(log, fakeobjects.AliceKey) {
			t.Error(log)
		}
	}
}

// A key in the wrong place is neither stored nor repeated.
func TestExport_RejectsKeysAsNames(t *testing.T) {
	e, request := newEnv(t), export(1)
	span := request.Traces().ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	span.Attributes().PutStr("gen_ai.response.model", fakeobjects.AliceKey)
	got := partial(t, e.send(sent{body: marshal(t, request, protobuf)}), protobuf)
	if got.RejectedSpans() != 1 || strings.Contains(got.ErrorMessage(), fakeobjects.AliceKey) ||
		!strings.Contains(got.ErrorMessage(), "ai_model: is a key") || len(e.store.records) != 0 {
		t.Errorf("%d: %s", got.RejectedSpans(), got.ErrorMessage())
	}
}

// More calls than a batch has are stored in several. What was stored before a failure counts once in the next try.
func TestExport_ContinuesAfterAFailure(t *testing.T) {
	const calls = usage.MaxBatch + 5
	e, body := newEnv(t), marshal(t, export(calls), protobuf)
	e.store.err, e.store.failAfter = errAway, 1
	if reply := e.send(sent{body: body}); reply.Code != http.StatusServiceUnavailable || len(e.store.records) == 0 {
		t.Fatalf("%d, stored %d", reply.Code, len(e.store.records))
	}
	e.store.err = nil
	partial(t, e.send(sent{body: body}), protobuf)
	if len(e.store.records) != calls {
		t.Errorf("%d records", len(e.store.records))
	}
}

func TestExport_AcceptsWhatHasNoUsage(t *testing.T) {
	e, empty := newEnv(t), ptraceotlp.NewExportRequest()
	for _, s := range []sent{
		{}, {body: []byte("{}"), contentType: mediaJSON},
		{body: marshal(t, empty, mediaJSON), contentType: "application/json; charset=utf-8"},
	} {
		want := ""
		if s.contentType != "" {
			want = "{}"
		}
		reply := e.send(s)
		if reply.Code != http.StatusOK || reply.Body.String() != want || len(e.store.records) != 0 {
			t.Errorf("%+v: %d %s", s, reply.Code, reply.Body)
		}
	}
}

// refused is what a reply says about an error.
func refused(tb testing.TB, reply *httptest.ResponseRecorder, contentType string) (codes.Code, string) {
	tb.Helper()
	if got := reply.Header().Get("Content-Type"); got != contentType {
		tb.Fatalf("%d, %s: %q", reply.Code, got, reply.Body)
	}
	var status rpcstatus.Status
	decode := func(body []byte) error { return proto.Unmarshal(body, &status) }
	if contentType == mediaJSON {
		decode = func(body []byte) error { return json.Unmarshal(body, &status) }
	}
	if err := decode(reply.Body.Bytes()); err != nil {
		tb.Fatal(err)
	}
	return codes.Code(status.GetCode()), status.GetMessage()
}

func TestExport_RefusesInTheFormatOfTheRequest(t *testing.T) {
	call := marshal(t, export(1), protobuf)
	for name, c := range map[string]struct {
		sent
		prepare func(*env)
		status  int
		code    codes.Code
		text    string
		retry   string
	}{
		"an unknown key": {
			sent: sent{key: "a-key-that-was-never-issued"}, status: 401, code: codes.Unauthenticated, text: "invalid token",
		},
		"no right": {
			sent: sent{key: powerlessKey}, status: 403, code: codes.PermissionDenied,
			text: "API key lacks required permission",
		},
		"not protobuf": {
			sent: sent{body: []byte("{}")}, status: 400, code: codes.InvalidArgument,
			text: "The body is not an ExportTraceServiceRequest in protobuf",
		},
		"half a body": {
			sent: sent{body: call[:len(call)-3]}, status: 400, code: codes.InvalidArgument,
			text: "The body is not an ExportTraceServiceRequest in protobuf",
		},
		"not gzip": {
			sent: sent{body: call, encoding: "gzip"}, status: 400, code: codes.InvalidArgument, text: "The body is not gzip",
		},
		"half a gzip": {
			sent: sent{body: zip(t, call)[:20], encoding: "gzip"}, status: 400, code: codes.InvalidArgument,
			text: "The body can't be read to its end",
		},
		"another compression": {
			sent: sent{body: call, encoding: "zstd"}, status: 415, code: codes.InvalidArgument,
			text: "The Content-Encoding must be gzip, or absent",
		},
		"another method": {
			sent: sent{method: http.MethodGet}, status: 405, code: codes.Unimplemented, text: "Send spans with POST",
		},
		"another path": {
			sent: sent{path: "/v1/traces/x"}, status: 404, code: codes.NotFound, text: "Not found: the only path is /v1/traces",
		},
		"the store is away": {
			sent: sent{body: call}, prepare: func(e *env) { e.store.err = errAway }, status: 503, code: codes.Unavailable,
			text: "The server can't record token usage now", retry: "1",
		},
		"the database is away": {
			sent: sent{body: call}, prepare: func(e *env) { e.database.err = errAway }, status: 503, code: codes.Unavailable,
			text: "The database is unavailable: connection refused", retry: "1",
		},
		"the gate is not ready": {
			sent: sent{body: call}, prepare: func(e *env) { e.Gate.Use(nil) }, status: 503, code: codes.Unavailable,
			text: "not ready yet", retry: "1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			if c.prepare != nil {
				c.prepare(e)
			}
			reply := e.send(c.sent)
			code, text := refused(t, reply, protobuf)
			if reply.Code != c.status || code != c.code || text != c.text || reply.Header().Get("Retry-After") != c.retry {
				t.Errorf("got %d, %s %q, Retry-After %q", reply.Code, code, text, reply.Header().Get("Retry-After"))
			}
			if len(e.store.records) != 0 {
				t.Errorf("stored %+v", e.store.records)
			}
		})
	}
}

func TestExport_RefusesInJSON(t *testing.T) {
	const (
		notJSON    = "The body is not JSON"
		notRequest = "The body is not an ExportTraceServiceRequest in JSON"
		otherMedia = "The Content-Type must be application/x-protobuf or application/json"
	)
	call := marshal(t, export(1), protobuf)
	for name, c := range map[string]struct {
		sent
		status int
		text   string
	}{
		"an unknown key":  {sent{key: "a-key-that-was-never-issued", contentType: mediaJSON}, 401, "invalid token"},
		"empty":           {sent{contentType: mediaJSON}, 400, notJSON},
		"protobuf":        {sent{contentType: mediaJSON, body: call}, 400, notJSON},
		"half a body":     {sent{contentType: mediaJSON, body: []byte(`{"resourceSpans":[`)}, 400, notJSON},
		"two documents":   {sent{contentType: mediaJSON, body: []byte(`{}{}`)}, 400, notJSON},
		"a list":          {sent{contentType: mediaJSON, body: []byte(`[]`)}, 400, notRequest},
		"a wrong type":    {sent{contentType: mediaJSON, body: []byte(`{"resourceSpans":7}`)}, 400, notRequest},
		"an id in base64": {sent{contentType: mediaJSON, body: withID("AQIDBAUGBwgJCgsMDQ4PEA==")}, 400, notRequest},
		"a short id":      {sent{contentType: mediaJSON, body: withID("0102")}, 400, notRequest},
		"text":            {sent{contentType: "text/plain"}, 415, otherMedia},
		"an odd type":     {sent{contentType: ";"}, 415, otherMedia},
		"gRPC":            {sent{contentType: "application/grpc"}, 415, otherMedia},
	} {
		e := newEnv(t)
		reply := e.send(c.sent)
		if _, text := refused(t, reply, mediaJSON); reply.Code != c.status || text != c.text || len(e.store.records) != 0 {
			t.Errorf("%s: got %d %q", name, reply.Code, text)
		}
	}
}

func withID(id string) []byte {
	return []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"` + id + `"}]}]}]}`)
}
