package admin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/usage"
)

const (
	reportPath  = "/api/admin/token-usage"
	summaryPath = reportPath + "/summary"
	exportPath  = reportPath + "/export"
)

// newUsageEnv returns an env with token usage in a database.
func newUsageEnv(tb testing.TB) *env {
	tb.Helper()
	db, err := database.Open(context.Background(), filepath.Join(tb.TempDir(), "db"), slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return newEnvWithUsage(tb, db.Usage())
}

// store reports records with a key.
func (e *env) store(tb testing.TB, key string, records ...string) {
	tb.Helper()
	r := e.report(sent{key: key, body: strings.Join(records, "\n"), media: mediaLines})
	if want := fmt.Sprintf(`{"stored":%d}`, len(records)); strings.TrimSpace(r.Body.String()) != want {
		tb.Fatalf("%d %s, want %s", r.Code, r.Body, want)
	}
}

// call returns a record.
func call(id, at, provider, model, more string) string {
	line := strings.NewReplacer("\n", "", "\t", "").Replace(more)
	return fmt.Sprintf(`{"id":%q,"created_at":%q,"ai_provider":%q,"ai_model":%q,%s}`, id, at, provider, model, line)
}

const tokens = `"input_tokens":10,"output_tokens":5`

// someCalls are in different months, days and jobs.
var someCalls = []string{
	call("1", "2029-12-31T23:30:00Z", "acme", "large", `"input_tokens":100,"output_tokens":50,"cache_read_tokens":7,
		"cache_write_tokens":3,"reasoning_tokens":20,"cost_usd":0.5,"duration_ms":10,"job_id":"nightly","tags":["a","b"]`),
	call("2", "2030-01-01T08:00:00Z", "acme", "small", tokens+`,"cost_usd":0.000000001,"duration_ms":15,"tags":["a"]`),
	call("3", "2030-01-01T09:00:00Z", "zen", "large", tokens+`,"job_id":"nightly","status":"error","call_type":"chat"`),
}

func (e *env) get(path, key string) *httptest.ResponseRecorder {
	return e.ask(http.MethodGet, path, key, "")
}

func (e *env) expectJSON(tb testing.TB, path, want string) {
	tb.Helper()
	r := e.get(path, usageKey)
	var a, b any
	if r.Code != 200 || json.Unmarshal(r.Body.Bytes(), &a) != nil || json.Unmarshal([]byte(want), &b) != nil ||
		mustJSON(a) != mustJSON(b) {
		tb.Errorf("%s: %d\ngot  %s\nwant %s", path, r.Code, r.Body, want)
	}
}

func TestUsage_Report(t *testing.T) {
	e := newUsageEnv(t)
	const totals = `"total_input_tokens":%d,"total_output_tokens":%d,"total_cache_read_tokens":%d,
		"total_cache_write_tokens":%d,"total_reasoning_tokens":%d,"total_cost_usd":%s,"total_calls":%d,
		"total_unpriced_calls":%d,"total_duration_ms":%d`
	e.expectJSON(t, reportPath, "{"+fmt.Sprintf(totals, 0, 0, 0, 0, 0, "0", 0, 0, 0)+
		`,"breakdown":[],"since":null,"until":null,"covers_since":null}`)
	e.store(t, reporterKey, someCalls...)
	all := "{" + fmt.Sprintf(totals, 120, 60, 7, 3, 20, "0.500000001", 3, 1, 25)
	e.expectJSON(t, reportPath+"?ai_model=&group_by=", all+`,"breakdown":[],"since":null,"until":null,"covers_since":null}`)
	e.expectJSON(t, reportPath+"?group_by=provider", all+`,"since":null,"until":null,"covers_since":null,"breakdown":[
		{"group_key":"acme","input_tokens":110,"output_tokens":55,"cache_read_tokens":7,"cache_write_tokens":3,
			"reasoning_tokens":20,"cost_usd":0.500000001,"call_count":2,"unpriced_calls":0,"avg_duration_ms":12.5},
		{"group_key":"zen","input_tokens":10,"output_tokens":5,"cache_read_tokens":0,"cache_write_tokens":0,
			"reasoning_tokens":0,"cost_usd":null,"call_count":1,"unpriced_calls":1,"avg_duration_ms":null}]}`)
	e.expectJSON(t, reportPath+"?ai_provider=zen&ai_model=large&call_type=chat",
		"{"+fmt.Sprintf(totals, 10, 5, 0, 0, 0, "null", 1, 1, 0)+`,"breakdown":[],"since":null,"until":null,"covers_since":null}`)
	e.expectJSON(t, reportPath+"?start_date=2030-01-01&end_date=2030-01-01T08:00:01Z",
		"{"+fmt.Sprintf(totals, 10, 5, 0, 0, 0, "0.000000001", 1, 0, 15)+
			`,"breakdown":[],"since":"2030-01-01T00:00:00Z","until":"2030-01-01T08:15:00Z","covers_since":null}`)
}

// groups returns the keys of a breakdown with the calls of each.
func (e *env) groups(tb testing.TB, query string) string {
	tb.Helper()
	r := e.get(reportPath+"?"+query, usageKey)
	var report struct {
		Breakdown []struct {
			Key   string `json:"group_key"`
			Calls int    `json:"call_count"`
		}
	}
	if err := json.Unmarshal(r.Body.Bytes(), &report); err != nil || r.Code != 200 {
		tb.Fatalf("%s: %d %s", query, r.Code, r.Body)
	}
	var all []string
	for _, line := range report.Breakdown {
		all = append(all, fmt.Sprintf("%s: %d", line.Key, line.Calls))
	}
	return strings.Join(all, ", ")
}

func TestUsage_Groupings(t *testing.T) {
	e := newUsageEnv(t)
	e.store(t, reporterKey, someCalls...)
	for query, want := range map[string]string{
		"group_by=call_type":               ": 2, chat: 1",
		"group_by=day":                     "2029-12-31: 1, 2030-01-01: 2",
		"group_by=day&tz=Europe/Berlin":    "2030-01-01: 3",
		"group_by=hour&tz=Europe/Berlin":   "2030-01-01T00:00+01:00: 1, 2030-01-01T09:00+01:00: 1, 2030-01-01T10:00+01:00: 1",
		"group_by=job":                     "nightly: 2, : 1",
		"group_by=key":                     "/" + reporterKey + ": 3",
		"group_by=model":                   "acme / large: 1, acme / small: 1, zen / large: 1",
		"group_by=month":                   "2029-12: 1, 2030-01: 2",
		"group_by=month&tz=Asia/Kathmandu": "2030-01: 3",
		"group_by=namespace":               ": 3",
		"group_by=owner":                   "Account/reporter: 3",
		"group_by=provider":                "acme: 2, zen: 1",
		"group_by=status":                  "ok: 2, error: 1",
		"group_by=week":                    "2030-W01: 3",
		"group_by=day&tz=Pacific/Apia&start_date=2011-12-30&end_date=2011-12-30": "",
	} {
		if got := e.groups(t, query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	if got := e.groups(t, "group_by=tag"); got != "a: 2, b: 1" && got != "a: 2, b: 1, : 1" {
		t.Errorf("group_by=tag: %s", got)
	}
}

// Jobs are known of stored records only, and the report says since when.
func TestUsage_ReportByJobHasWhatItCovers(t *testing.T) {
	e := newUsageEnv(t)
	e.store(t, reporterKey, someCalls...)
	e.now = begin.Add(time.Hour)
	e.store(t, reporterKey, call("later", "2020-01-01T00:00:00Z", "acme", "large", tokens))
	r := e.get(reportPath+"?group_by=job", usageKey)
	if got := field(t, r, "covers_since"); got != "2030-01-01T12:00:00Z" {
		t.Errorf("%q in %s", got, r.Body)
	}
}

func TestUsage_RefusesBadParameters(t *testing.T) {
	e := newEnv(t)
	const date = "must be a day such as 2030-01-31 or a time such as 2030-01-31T12:00:00Z"
	const zone = "tz: must be a time zone such as Europe/Berlin"
	for path, want := range map[string]string{
		reportPath + "?group_by=colour": "Invalid group_by value. Valid: call_type, day, hour, job, key, model, month, " +
			"namespace, owner, provider, status, tag, week",
		reportPath + "?group_by=Day": "Invalid group_by value. Valid: call_type, day, hour, job, key, model, month, " +
			"namespace, owner, provider, status, tag, week",
		reportPath + "?start_date=yesterday":                       "start_date: " + date,
		reportPath + "?end_date=2030-02-30":                        "end_date: " + date,
		reportPath + "?end_date=2030-01-31T12:00:00":               "end_date: " + date,
		reportPath + "?start_date=2030-01-02&end_date=2030-01-01":  "end_date: must be after start_date",
		reportPath + "?tz=Mars/Olympus":                            zone,
		reportPath + "?tz=Local":                                   zone,
		reportPath + "?tz=..%2F..%2Fetc%2Fpasswd":                  zone,
		reportPath + "?ai_model=" + strings.Repeat("x", 257):       "ai_model: must be at most 256 bytes",
		reportPath + "?ai_provider=a%00b":                          "ai_provider: must not have control characters",
		reportPath + "?call_type=%ff":                              "call_type: must be UTF-8",
		reportPath + "?model=large":                                `"model" is not a parameter`,
		reportPath + "?tz=UTC&tz=UTC":                              "tz: is given twice",
		reportPath + "?a=%zz":                                      "The query can't be read",
		reportPath + "?format=csv":                                 `"format" is not a parameter`,
		summaryPath + "?tz=UTC":                                    `"tz" is not a parameter`,
		reportPath + "/nightly?limit=1":                            `"limit" is not a parameter`,
		exportPath + "?format=xlsx":                                "format: must be csv or ndjson",
		exportPath + "?group_by=day":                               `"group_by" is not a parameter`,
		exportPath + "?start_date=" + url.QueryEscape("1 day ago"): "start_date: " + date,
	} {
		if r := e.get(path, usageKey); r.Code != 422 || detail(r) != want {
			t.Errorf("%s: %d %s, want %s", path, r.Code, r.Body, want)
		}
		// A caller without the right does not learn what is wrong.
		if r := e.get(path, plainKey); r.Code != 403 || detail(r) != "Admin access required" {
			t.Errorf("%s: %d %s", path, r.Code, r.Body)
		}
	}
}

func TestUsage_IsForReaders(t *testing.T) {
	e := newUsageEnv(t)
	e.store(t, reporterKey, someCalls...)
	for _, path := range []string{reportPath, summaryPath, exportPath, reportPath + "/nightly"} {
		for _, key := range []string{"", "a-key-that-was-never-issued", plainKey, readerKey, reporterKey, offKey} {
			if r := e.get(path, key); r.Code != 403 || detail(r) != "Admin access required" {
				t.Errorf("%s with %q: %d %s", path, key, r.Code, r.Body)
			}
		}
		for _, key := range []string{usageKey, aliceKey, bootstrapKey} {
			if r := e.get(path, key); r.Code != 200 {
				t.Errorf("%s: %d %s", path, r.Code, r.Body)
			}
		}
	}
}

// Records and reports name the reporter as it was.
func TestUsage_KeepsTheNamesOfWhatIsGone(t *testing.T) {
	e := newUsageEnv(t)
	e.store(t, reporterKey, someCalls...)
	e.store(t, bobKey, call("bobs", "2030-01-01T00:00:00Z", "acme", "large", tokens))
	e.registry.Index.Delete(verify.ID{Kind: "APIKey", Name: reporterKey})
	if r := e.ask(http.MethodDelete, of("bob"), aliceKey, ""); r.Code != 200 {
		t.Fatal(r.Body)
	}
	if r := e.report(sent{key: reporterKey, body: aCall}); r.Code != 401 {
		t.Fatalf("the key is not gone: %d", r.Code)
	}
	for query, want := range map[string]string{
		"group_by=key":   "/" + reporterKey + ": 3, keywright-system/bob: 1",
		"group_by=owner": "Account/reporter: 3, User/bob: 1",
	} {
		if got := e.groups(t, query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	if r := e.get(exportPath, usageKey); !strings.Contains(r.Body.String(), ",keywright-system/bob,User/bob,") {
		t.Error(r.Body)
	}
}

func TestUsage_Summary(t *testing.T) {
	e := newUsageEnv(t)
	const none = `{"calls":0,"tokens":0,"input_tokens":0,"output_tokens":0,"cost_usd":0}`
	e.expectJSON(t, summaryPath,
		`{"today":`+none+`,"this_week":`+none+`,"this_month":`+none+`,"top_models":[],"top_jobs":[]}`)
	e.store(t, reporterKey, someCalls...)
	e.store(t, reporterKey,
		call("4", "2029-12-26T00:00:00Z", "acme", "week", tokens+`,"cost_usd":1,"job_id":"j1"`),
		call("5", "2029-12-25T23:59:59Z", "acme", "month", tokens+`,"cost_usd":2,"job_id":"j2"`),
		call("6", "2029-12-03T00:00:00Z", "acme", "month", tokens+`,"cost_usd":2,"job_id":"j3"`),
		call("7", "2029-12-02T23:59:59Z", "acme", "before", tokens+`,"cost_usd":50,"job_id":"j4"`),
	)
	e.expectJSON(t, summaryPath, `{
		"today":{"calls":2,"tokens":30,"input_tokens":20,"output_tokens":10,"cost_usd":0.000000001},
		"this_week":{"calls":4,"tokens":195,"input_tokens":130,"output_tokens":65,"cost_usd":1.500000001},
		"this_month":{"calls":6,"tokens":225,"input_tokens":150,"output_tokens":75,"cost_usd":5.500000001},
		"top_models":[
			{"model":"acme / month","calls":2,"cost_usd":4},{"model":"acme / week","calls":1,"cost_usd":1},
			{"model":"acme / large","calls":1,"cost_usd":0.5},{"model":"acme / small","calls":1,"cost_usd":0.000000001},
			{"model":"zen / large","calls":1,"cost_usd":null}],
		"top_jobs":[
			{"job_id":"j2","calls":1,"cost_usd":2},{"job_id":"j3","calls":1,"cost_usd":2},
			{"job_id":"j1","calls":1,"cost_usd":1},{"job_id":"nightly","calls":2,"cost_usd":0.5}]}`)
}

func TestUsage_Job(t *testing.T) {
	e := newUsageEnv(t)
	e.store(t, reporterKey, someCalls...)
	const key = `"price":"","prompt_chars":0,"response_chars":0,"service_tier":"","received_at":"2030-01-01T12:00:00Z",
		"key":"/` + reporterKey + `","owner":"Account/reporter","namespace":""`
	e.expectJSON(t, reportPath+"/nightly", `{"job_id":"nightly","truncated":false,"covers_since":"2030-01-01T12:00:00Z","records":[
		{"id":"1","job_id":"nightly","created_at":"2029-12-31T23:30:00Z","ai_provider":"acme","ai_model":"large",
			"call_type":"","input_tokens":100,"output_tokens":50,"cache_read_tokens":7,"cache_write_tokens":3,
			"reasoning_tokens":20,"total_tokens":150,"cost_usd":0.5,"duration_ms":10,"status":"ok","tags":["a","b"],`+key+`},
		{"id":"3","job_id":"nightly","created_at":"2030-01-01T09:00:00Z","ai_provider":"zen","ai_model":"large",
			"call_type":"chat","input_tokens":10,"output_tokens":5,"cache_read_tokens":0,"cache_write_tokens":0,
			"reasoning_tokens":0,"total_tokens":15,"cost_usd":null,"duration_ms":null,"status":"error","tags":[],`+key+`}]}`)
	for _, name := range []string{"none", "NIGHTLY", "%00", "%ff", strings.Repeat("x", 5000), "%27--", "..", "%2F"} {
		r := e.get(reportPath+"/"+name, usageKey)
		if r.Code != 404 || detail(r) != "No token usage records found for this job" {
			t.Errorf("%.40s: %d %s", name, r.Code, r.Body)
		}
	}
}

// A name may have whatever a path has, and even be that of another route.
func TestUsage_JobsWithOddNames(t *testing.T) {
	e := newUsageEnv(t)
	for i, name := range []string{"a/b", "/", "..", "100%", "job 1", "é", "?x=1"} {
		e.store(t, reporterKey, call(fmt.Sprint("odd", i), "2030-01-01T00:00:00Z", "acme", "large",
			tokens+`,"job_id":`+mustJSON(name)))
		r := e.get(reportPath+"/"+url.PathEscape(name), usageKey)
		if r.Code != 200 || field(t, r, "job_id") != name {
			t.Errorf("%s: %d %s", name, r.Code, r.Body)
		}
	}
	for _, route := range []string{"summary", "export"} {
		e.store(t, reporterKey, call(route, "2030-01-01T00:00:00Z", "acme", "large", tokens+`,"job_id":`+mustJSON(route)))
		if r := e.get(reportPath+"/"+route, usageKey); strings.Contains(r.Body.String(), `"records"`) {
			t.Errorf("%s: %s", route, r.Body)
		}
	}
	if got := e.groups(t, "group_by=job"); !strings.Contains(got, "export: 1") || !strings.Contains(got, "summary: 1") {
		t.Error(got)
	}
}

func TestUsage_JobIsCutAtALimit(t *testing.T) {
	e := newUsageEnv(t)
	record := call("%d", "2030-01-01T00:00:00Z", "acme", "large", tokens+`,"job_id":"huge"`)
	const calls = 10_001
	for first := 0; first < calls; first += usage.MaxBatch {
		var body strings.Builder
		for i := first; i < min(first+usage.MaxBatch, calls); i++ {
			fmt.Fprintf(&body, record+"\n", i)
		}
		if r := e.report(sent{key: reporterKey, body: body.String(), media: mediaLines}); r.Code != 200 {
			t.Fatal(r.Body)
		}
	}
	var reply struct {
		Records   []json.RawMessage
		Truncated bool
	}
	r := e.get(reportPath+"/huge", usageKey)
	if err := json.Unmarshal(r.Body.Bytes(), &reply); err != nil || len(reply.Records) != 10_000 || !reply.Truncated {
		t.Errorf("%d records, truncated %t, %v", len(reply.Records), reply.Truncated, err)
	}
}
