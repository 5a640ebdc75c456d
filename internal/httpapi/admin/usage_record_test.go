package admin_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/admin"
	"keywright.dev/keywright/internal/manage/usage"
)

const (
	recordPath = "/api/token-usage"
	mediaLines = "application/x-ndjson"
	// aCall is the shortest record.
	aCall = `{"ai_provider":"acme","ai_model":"large","input_tokens":1,"output_tokens":2}`
)

func newBodies() *httpapi.Bodies {
	return &httpapi.Bodies{Limit: usage.MaxBody, Total: 2 * usage.MaxBody}
}

// usageMemory keeps records. The other methods of usage.Store are not called.
type usageMemory struct {
	usage.Store
	mu      sync.Mutex
	records []usage.Record
	err     error
}

func (m *usageMemory) Append(_ context.Context, records []usage.Record) (added []*usage.Record, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range records {
		if !slices.ContainsFunc(m.records, func(r usage.Record) bool { return r.ID == records[i].ID }) && m.err == nil {
			m.records = append(m.records, records[i])
			added = append(added, &records[i])
		}
	}
	return added, m.err
}

// sent is a request of a reporter.
type sent struct {
	key, body, media, encoding string
}

func (e *env) report(s sent) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, recordPath, strings.NewReader(s.body))
	for name, value := range map[string]string{"Content-Type": s.media, "Content-Encoding": s.encoding} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	if s.key != "" {
		r.Header.Set("Authorization", "Bearer "+s.key)
	}
	return e.serve(r)
}

func zipped(tb testing.TB, text string) string {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

func TestUsageRecord_StoresEachForm(t *testing.T) {
	for name, c := range map[string]struct {
		sent
		stored int
	}{
		"an object": {sent{body: aCall}, 1},
		"an array": {
			sent{body: " [" + aCall + " , " + aCall + "]\n", media: "application/json; charset=UTF-8"}, 2,
		},
		"lines":                {sent{body: aCall + "\r\n\n" + aCall + "\n", media: mediaLines}, 2},
		"lines without an end": {sent{body: aCall + "\n" + aCall, media: mediaLines}, 2},
		"gzip":                 {sent{body: zipped(t, "["+aCall+"]"), encoding: "gzip"}, 1},
		"compressed lines":     {sent{body: zipped(t, aCall+"\n"+aCall), media: mediaLines, encoding: "gzip"}, 2},
		"as many as are accepted": {
			sent{body: strings.Repeat(aCall+"\n", usage.MaxBatch), media: mediaLines}, usage.MaxBatch,
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			c.key = reporterKey
			want := fmt.Sprintf(`{"stored":%d}`+"\n", c.stored)
			if r := env.report(c.sent); r.Code != 200 || r.Body.String() != want || len(env.usage.records) != c.stored {
				t.Errorf("%d %s, %d stored", r.Code, r.Body, len(env.usage.records))
			}
		})
	}
}

func TestUsageRecord_KeepsEveryField(t *testing.T) {
	env := newEnv(t)
	const body = `{"id":"call-1","created_at":"2030-01-01T10:00:00.25+01:00","job_id":"nightly","ai_provider":"acme",
		"ai_model":"large","call_type":"chat","input_tokens":1,"output_tokens":20,"cache_read_tokens":3,
		"cache_write_tokens":4,"reasoning_tokens":5,"total_tokens":21,"cost_usd":0.000000001,"duration_ms":6,
		"prompt_chars":7,"response_chars":8,"service_tier":"flex","status":"error","tags":["b","a","b"]}`
	if r := env.report(sent{key: reporterKey, body: body}); r.Code != 200 {
		t.Fatal(r.Code, r.Body)
	}
	got := env.usage.records[0]
	want := usage.Record{
		ID: "call-1", At: time.Date(2030, 1, 1, 9, 0, 0, 250_000_000, time.UTC), ReceivedAt: begin, Job: "nightly",
		Provider: "acme", Model: "large", CallType: "chat",
		Tokens: usage.Tokens{Input: 1, Output: 20, CacheRead: 3, CacheWrite: 4, Reasoning: 5},
		Cost:   got.Cost, DurationMS: got.DurationMS, PromptChars: 7, ResponseChars: 8, ServiceTier: "flex",
		Status: usage.StatusError, Tags: []string{"a", "b"},
		Reporter: usage.Reporter{KeyUID: reporterKey, Key: "/" + reporterKey, Subject: "Account/reporter"},
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) || *got.Cost != 1 || *got.DurationMS != 6 {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// null is the same as an absent field, also for cost and duration, which stay unknown.
func TestUsageRecord_TakesNullForAbsent(t *testing.T) {
	env := newEnv(t)
	body := strings.TrimSuffix(aCall, "}") + `,"id":null,"created_at":null,"job_id":null,"cost_usd":null,
		"duration_ms":null,
		"cache_read_tokens":null,"total_tokens":null,"status":null,"tags":null}`
	if r := env.report(sent{key: reporterKey, body: body}); r.Code != 200 {
		t.Fatal(r.Code, r.Body)
	}
	got := env.usage.records[0]
	if got.Cost != nil || got.DurationMS != nil || got.ID == "" || got.Status != usage.StatusOK {
		t.Errorf("%+v", got)
	}
}

func TestUsageRecord_ARepeatedIDAddsNothing(t *testing.T) {
	env := newEnv(t)
	body := strings.TrimSuffix(aCall, "}") + `,"id":"once"}`
	for i, want := range []string{`{"stored":1}`, `{"stored":0}`} {
		if r := env.report(sent{key: reporterKey, body: body}); strings.TrimSpace(r.Body.String()) != want {
			t.Errorf("%d: %s", i, r.Body)
		}
	}
}

// fields are a record with one field more, or another value of a field.
func withField(name, value string) string {
	record := aCall
	for _, present := range []string{`"input_tokens":1,`, `"output_tokens":2`, `"ai_model":"large",`} {
		if strings.HasPrefix(present, `"`+name+`"`) {
			record = strings.Replace(record, present, "", 1)
			record = strings.Replace(record, ",}", "}", 1)
		}
	}
	return strings.TrimSuffix(record, "}") + `,"` + name + `":` + value + "}"
}

func TestUsageRecord_NamesRecordAndField(t *testing.T) {
	const count, money = "must be a whole number from 0 to 1000000000",
		"must be a number of US dollars from 0 to 1000000, or null"
	const instant, text = "must be a time such as 2030-01-31T12:00:00Z", "must be text"
	const span = "must be from 1970 to five minutes ahead of the server's clock"
	cases := [][3]string{
		{"input_tokens", "-1", count}, {"input_tokens", "1.5", count}, {"input_tokens", "1e3", count},
		{"input_tokens", `"1"`, count}, {"input_tokens", "true", count}, {"input_tokens", "[1]", count},
		{"input_tokens", "{}", count}, {"output_tokens", "9223372036854775807", count},
		{"output_tokens", "9223372036854775808", count}, {"output_tokens", "18446744073709551617", count},
		{"output_tokens", "1e400", count}, {"output_tokens", "1000000001", count}, {"cache_read_tokens", "-0.1", count},
		{"input_tokens", "null", "is required"}, {"duration_ms", "-1", count}, {"prompt_chars", "1.0", count},
		{"cost_usd", "1e400", money}, {"cost_usd", "-0.01", money}, {"cost_usd", `"0.1"`, money},
		{"cost_usd", "1000000.01", money}, {"cost_usd", "false", money}, {"cost_usd", `"NaN"`, money},
		{"created_at", `"2030-01-01"`, instant}, {"created_at", "1893456000", text}, {"created_at", `""`, instant},
		{"created_at", `"0001-01-01T00:00:00Z"`, instant}, {"created_at", `"1969-12-31T23:59:59Z"`, span},
		{"created_at", `"2030-01-01T12:05:01Z"`, span}, {"created_at", `"9999-12-31T23:59:59Z"`, span},
		{"created_at", `"10000-01-01T00:00:00Z"`, instant},
		{"total_tokens", "4", "must be the sum of input_tokens and output_tokens"},
		{"reasoning_tokens", "3", "must be at most output_tokens, which include them"},
		{"ai_model", `""`, "is required"}, {"ai_model", "7", text}, {"job_id", `{"a":1}`, text},
		{"job_id", `"` + strings.Repeat("x", 257) + `"`, "must be at most 256 bytes"},
		{"job_id", `"a\u0000b"`, "must not have control characters"}, {"status", `"failed"`, "must be ok or error"},
		{"tags", `"a"`, "must be a list of texts"}, {"tags", `[1]`, "must be a list of texts"},
		{"tags", `[null]`, "must be a list of texts"}, {"tags", `["1","2","3","4","5","6","7","8","9"]`, "must be at most 8"},
		{"tags", `[""]`, "must not be empty"}, {"tokens", "1", "is not known"}, {"Input_tokens", "1", "is not known"},
		{"ai_provider", `"again"`, "is given twice"}, {"key", `"team/other"`, "is not known"},
	}
	for _, c := range cases {
		env := newEnv(t)
		bad := withField(c[0], c[1])
		want := "record 2: " + c[0] + ": " + c[2]
		for _, s := range []sent{
			{body: "[" + aCall + "," + aCall + "," + bad + "," + aCall + "]"},
			{body: aCall + "\n" + aCall + "\n" + bad + "\n" + aCall, media: mediaLines},
		} {
			s.key = reporterKey
			if r := env.report(s); r.Code != 422 || detail(r) != want || len(env.usage.records) > 0 {
				t.Errorf("%s %.40s: %d %s, want %s", c[0], c[1], r.Code, r.Body, want)
			}
		}
	}
}

// deep is a value that is nested deeper than parsers follow.
var deep = strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)

func TestUsageRecord_RefusesBadBodies(t *testing.T) {
	long := aCall + strings.Repeat(" ", usage.MaxBody)
	const notJSON, notValue = "Invalid JSON body", "The body must be an object or an array of objects"
	for name, c := range map[string]struct {
		sent
		status int
		text   string
	}{
		"empty":                       {sent{}, 400, notJSON},
		"no records":                  {sent{body: "[]"}, 422, "The body has no records"},
		"no lines":                    {sent{body: "\n \n", media: mediaLines}, 422, "The body has no records"},
		"a number":                    {sent{body: "1"}, 422, notValue},
		"null":                        {sent{body: "null"}, 422, notValue},
		"half an object":              {sent{body: aCall[:20]}, 400, notJSON},
		"half an array":               {sent{body: "[" + aCall}, 400, notJSON},
		"more than an array":          {sent{body: "[" + aCall + "]]"}, 400, notJSON},
		"lines that are not declared": {sent{body: aCall + "\n" + aCall}, 400, notJSON},
		"an array of other values":    {sent{body: "[" + aCall + ",1]"}, 422, "record 1: must be a JSON object"},
		"an array of arrays":          {sent{body: "[[" + aCall + "]]"}, 422, "record 0: must be a JSON object"},
		"null in an array":            {sent{body: "[null]"}, 422, "record 0: must be a JSON object"},
		"a line that is not JSON":     {sent{body: aCall + "\n{\n", media: mediaLines}, 422, "record 1: is not JSON"},
		"an array on a line": {
			sent{body: "[" + aCall + "]", media: mediaLines}, 422, "record 0: must be a JSON object",
		},
		"UTF-16": {
			sent{body: "\xff\xfe{\x00}\x00"}, 400, notJSON,
		},
		"a byte order mark": {sent{body: "\xef\xbb\xbf" + aCall}, 400, notJSON},
		"Latin-1": {
			sent{body: withField("job_id", "\"m\xfcller\"")}, 422, "record 0: is not UTF-8",
		},
		"half a character": {
			sent{body: withField("job_id", `"\ud800"`)}, 422,
			"record 0: has half a character: a \\u escape without its other half",
		},
		"deep":             {sent{body: deep}, 400, notJSON},
		"deep in a field":  {sent{body: withField("job_id", deep)}, 400, notJSON},
		"deep in an array": {sent{body: strings.Repeat("[", 100_000)}, 400, notJSON},
		"too many records": {
			sent{body: strings.Repeat(aCall+"\n", usage.MaxBatch+1), media: mediaLines}, 413,
			fmt.Sprintf("The body has more than %d records", usage.MaxBatch),
		},
		"millions of values": {
			sent{body: "[" + strings.Repeat("1,", 4_000_000) + "1]"}, 422, "record 0: must be a JSON object",
		},
		"too long": {sent{body: long}, 413, "The body is longer than 10 MiB"},
		"a bomb":   {sent{body: zipped(t, long), encoding: "gzip"}, 413, "The body is longer than 10 MiB"},
		"not gzip": {sent{body: aCall, encoding: "gzip"}, 400, "The body is not gzip"},
		"another encoding": {
			sent{body: aCall, encoding: "br"}, 415, "The Content-Encoding must be gzip, or absent",
		},
		"a form": {
			sent{body: "a=b", media: "application/x-www-form-urlencoded"}, 415,
			"The Content-Type must be application/json or application/x-ndjson",
		},
		"plain text": {
			sent{body: aCall, media: "text/plain"}, 415, "The Content-Type must be application/json or application/x-ndjson",
		},
		"another character set": {
			sent{body: aCall, media: "application/json; charset=utf-16"}, 415,
			"The Content-Type must be application/json or application/x-ndjson",
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			c.key = reporterKey
			if r := env.report(c.sent); r.Code != c.status || detail(r) != c.text || len(env.usage.records) > 0 {
				t.Errorf("%d %.300s, want %d %s", r.Code, r.Body, c.status, c.text)
			}
		})
	}
}

// The caller comes first, then the form of the body, then the records, and last the store.
func TestUsageRecord_OrderOfRefusals(t *testing.T) {
	for _, c := range []struct {
		sent
		status int
		text   string
	}{
		{sent{key: "", body: "{", media: "text/plain"}, 401, "Authentication required"},
		{sent{key: "a-key-that-was-never-issued", body: "{", media: "text/plain"}, 401, "Authentication required"},
		{sent{key: plainKey, body: "{", media: "text/plain"}, 403, "API key lacks required permission"},
		{sent{key: usageKey, body: "{", media: "text/plain"}, 403, "API key lacks required permission"},
		{
			sent{key: reporterKey, body: "{", media: "text/plain"}, 415,
			"The Content-Type must be application/json or application/x-ndjson",
		},
		{sent{key: reporterKey, body: "{"}, 400, "Invalid JSON body"},
		{sent{key: reporterKey, body: "[{}]"}, 422, "record 0: input_tokens: is required"},
		{sent{key: reporterKey, body: aCall}, 503, "The server can't do this now"},
	} {
		env := newEnv(t)
		env.usage.err = errors.New("down")
		r := env.report(c.sent)
		if r.Code != c.status || detail(r) != c.text {
			t.Errorf("%+v: %d %s", c.sent, r.Code, r.Body)
		}
		if challenged := r.Header().Get("WWW-Authenticate") != ""; challenged != (c.status == 401) {
			t.Errorf("%+v: %v", c.sent, r.Header())
		}
		if again := r.Header().Get("Retry-After") != ""; again != (c.status == 503) {
			t.Errorf("%+v: %v", c.sent, r.Header())
		}
	}
}

// Admins and the bootstrap key may report as well. A name that is only saved may not.
func TestUsageRecord_IsForProvenCallers(t *testing.T) {
	env := newEnv(t)
	for _, key := range []string{aliceKey, bootstrapKey} {
		if r := env.report(sent{key: key, body: aCall}); r.Code != 200 {
			t.Errorf("%d %s", r.Code, r.Body)
		}
	}
	if r := env.askWithCookie("POST", recordPath, "keywright_user=alice"); r.Code != 401 {
		t.Errorf("%d %s", r.Code, r.Body)
	}
}

func TestUsageRecord_AsksForAnotherTryWhileTheDatabaseIsDown(t *testing.T) {
	env := newEnv(t)
	env.memory.down = errDown
	if r := env.report(sent{key: reporterKey, body: aCall}); r.Code != 503 || r.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s %v", r.Code, r.Body, r.Header())
	}
}

func FuzzUsageRecord(f *testing.F) {
	for _, seed := range []string{
		aCall, "[" + aCall + "]", aCall + "\n" + aCall, "[]", "{}", withField("cost_usd", "1e-400"),
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, lines bool) {
		records, err := admin.DecodeRecords(body, lines)
		switch {
		case err != nil && err.Error() == "", err == nil && len(records) == 0, len(records) > usage.MaxBatch:
			t.Errorf("%d records, %v", len(records), err)
		case err != nil:
			return
		}
		for i := range records {
			r := &records[i]
			if r.Cost != nil && (*r.Cost < 0 || *r.Cost > usage.MaxMoney) {
				t.Errorf("%+v", r)
			}
			// No check may panic, whatever was decoded.
			_ = r.Check(begin)
		}
	})
}
