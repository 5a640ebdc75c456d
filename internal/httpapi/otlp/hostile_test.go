package otlp_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc/codes"

	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/test/fakeobjects"
)

func TestExport_BoundsTheBody(t *testing.T) {
	const longer = "The body is longer than 10 MiB"
	const more = "The body has more than 250000 spans, attributes and other objects: send fewer spans at once"
	bomb := zip(t, make([]byte, 16<<20))
	long := make([]byte, usage.MaxBody+1)
	for name, c := range map[string]struct {
		sent
		text string
	}{
		"a long body":                {sent{body: long}, longer},
		"a gzip bomb":                {sent{body: bomb, encoding: "gzip"}, longer},
		"a gzip bomb in a gzip bomb": {sent{body: zip(t, bomb), encoding: "gzip"}, "The body is not an"},
		"resources without content":  {sent{body: bytes.Repeat([]byte{0x0a, 0}, 251_000)}, more},
		"objects without content":    {sent{body: many(`{}`), contentType: mediaJSON}, more},
		"nulls":                      {sent{body: many(`null`), contentType: mediaJSON}, more},
		"251,000 spans":              {sent{body: spans(t, 251_000)}, more},
	} {
		e, want := newEnv(t), http.StatusRequestEntityTooLarge
		if strings.HasPrefix(c.text, "The body is not") {
			want = http.StatusBadRequest
		}
		reply := e.send(c.sent)
		_, text := refused(t, reply, or(c.contentType, protobuf))
		if reply.Code != want || !strings.HasPrefix(text, c.text) {
			t.Errorf("%s: %d %q", name, reply.Code, text)
		}
	}
}

// many returns a request with 251,000 times the same resource.
func many(resource string) []byte {
	return []byte(`{"resourceSpans":[` + strings.Repeat(resource+",", 251_000) + resource + `]}`)
}

// spans returns a request with n spans of other things.
func spans(tb testing.TB, n int) []byte {
	tb.Helper()
	traces := ptrace.NewTraces()
	all := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for range n {
		all.AppendEmpty().SetName("GET /")
	}
	return marshal(tb, ptraceotlp.NewExportRequestFromTraces(traces), protobuf)
}

func TestExport_Accepts100000OtherSpans(t *testing.T) {
	e := newEnv(t)
	if got := partial(t, e.send(sent{body: spans(t, 100_000)}), protobuf); got.RejectedSpans() != 0 {
		t.Error(got.RejectedSpans())
	}
}

// Braces in texts don't count: prompts are full of them.
func TestExport_CountsObjectsOutsideOfTexts(t *testing.T) {
	e, request := newEnv(t), export(1)
	span := request.Traces().ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	span.Attributes().PutStr("gen_ai.input.messages", strings.Repeat(`{n"\\`, 251_000))
	partial(t, e.send(sent{body: marshal(t, request, mediaJSON), contentType: mediaJSON}), mediaJSON)
	if len(e.store.records) != 1 {
		t.Error(e.store.records)
	}
}

func TestExport_BoundsDepth(t *testing.T) {
	// The value of an attribute is a list that holds a list, and so on.
	value := []byte{}
	for range 1000 {
		value = field(5, field(1, value))
	}
	deep := field(1, field(2, field(2, field(9, field(2, value)))))
	nested := `{"resourceSpans":[{"resource":{"attributes":[{"key":"x","value":` +
		strings.Repeat(`{"arrayValue":{"values":[`, 20_000) + strings.Repeat(`]}}`, 20_000) + `}]}}]}`
	for _, s := range []sent{{body: deep}, {body: []byte(nested), contentType: mediaJSON}} {
		if reply := newEnv(t).send(s); reply.Code != http.StatusBadRequest {
			t.Errorf("%d %s", reply.Code, reply.Body)
		}
	}
}

func field(number byte, content []byte) []byte {
	length, size := []byte{}, len(content)
	for ; size > 127; size >>= 7 {
		length = append(length, byte(size)|128)
	}
	return append(append([]byte{number<<3 | 2}, append(length, byte(size))...), content...)
}

func TestExport_RejectsSpansWithoutIDs(t *testing.T) {
	const zeros = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00000000000000000000000000000000",` +
		`"spanId":"0102030405060708","startTimeUnixNano":"1796024350420000000",` +
		`"attributes":[{"key":"gen_ai.usage.input_tokens","value":{"intValue":"7"}}]}]}]}]}`
	e := newEnv(t)
	got := partial(t, e.send(sent{body: []byte(zeros), contentType: mediaJSON}), mediaJSON)
	if got.RejectedSpans() != 1 || !strings.Contains(got.ErrorMessage(), "the trace id or the span id is missing") ||
		len(e.store.records) != 0 {
		t.Errorf("%d: %s", got.RejectedSpans(), got.ErrorMessage())
	}
}

func TestExport_AsksToComeAgain(t *testing.T) {
	e := newEnv(t)
	e.bodies.Total = 10
	reply := e.send(sent{body: marshal(t, export(1), protobuf)})
	if code, text := refused(t, reply, protobuf); reply.Code != http.StatusTooManyRequests ||
		code != codes.ResourceExhausted || reply.Header().Get("Retry-After") != "1" {
		t.Errorf("%d, %s %q", reply.Code, code, text)
	}
}

// The key may be revoked while the body arrives.
func TestExport_RefusesKeyThatEndedMeanwhile(t *testing.T) {
	e := newEnv(t)
	body := io.MultiReader(
		&revoking{func() { e.Index.SetBootstrap(nil) }}, bytes.NewReader(marshal(t, export(1), protobuf)),
	)
	reply := e.send(sent{key: fakeobjects.BootstrapKey, reader: body})
	if reply.Code != http.StatusUnauthorized || len(e.store.records) != 0 {
		t.Errorf("%d %s", reply.Code, reply.Body)
	}
}

// revoking calls revoke when the body is read.
type revoking struct{ revoke func() }

func (r *revoking) Read([]byte) (int, error) {
	r.revoke()
	return 0, io.EOF
}

func TestExport_RefusesOtherOrigins(t *testing.T) {
	e := newEnv(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/traces", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", protobuf)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	reply := e.serve(r)
	_, text := refused(t, reply, protobuf)
	if reply.Code != http.StatusForbidden || text != "Cross-origin request refused" {
		t.Errorf("%d %q", reply.Code, text)
	}
}

// FuzzExport feeds bodies to the decoder and the mapping. Each reply is one of the protocol, and what is stored keeps
// the rules of records.
func FuzzExport(f *testing.F) {
	for _, contentType := range []string{protobuf, mediaJSON} {
		f.Add(marshal(f, export(2), contentType), contentType == mediaJSON)
	}
	f.Add([]byte(`{"resourceSpans":[null]}`), true)
	f.Add([]byte{0x0a, 0x02, 0x12, 0x00}, false)
	e := newEnv(f)
	f.Fuzz(func(t *testing.T, body []byte, isJSON bool) {
		contentType := protobuf
		if isJSON {
			contentType = mediaJSON
		}
		e.store.records, e.store.known = nil, map[string]bool{}
		reply := e.send(sent{body: body, contentType: contentType})
		if reply.Code != http.StatusOK && reply.Code != http.StatusBadRequest {
			t.Fatalf("%d %s", reply.Code, reply.Body)
		}
		for _, r := range e.store.records {
			if wrong := r.Check(e.Time()); wrong != nil {
				t.Fatalf("%+v: %v", r, wrong)
			}
		}
	})
}
