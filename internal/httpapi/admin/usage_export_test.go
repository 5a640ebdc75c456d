package admin_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/manage/usage"
)

func TestUsage_ExportCSV(t *testing.T) {
	e := newUsageEnv(t)
	const header = "id,job_id,created_at,received_at,ai_provider,ai_model,call_type,input_tokens,output_tokens," +
		"cache_read_tokens,cache_write_tokens,reasoning_tokens,total_tokens,cost_usd,price,duration_ms,prompt_chars," +
		"response_chars,service_tier,status,tags,key,owner,namespace\n"
	r := e.get(exportPath, usageKey)
	if r.Body.String() != header || r.Header().Get("Content-Type") != "text/csv; charset=utf-8" ||
		r.Header().Get("Content-Disposition") != `attachment; filename="token-usage.csv"` {
		t.Errorf("%q %v", r.Body, r.Header())
	}
	e.store(t, reporterKey, someCalls[0], call("=1+1", "2030-01-01T08:00:00.5Z", "@x", `a"b,c`, tokens+`,"job_id":"-x"`))
	r = e.get(exportPath+"?format=csv", usageKey)
	const received = ",2030-01-01T12:00:00Z,"
	want := header + "1,nightly,2029-12-31T23:30:00Z" + received + `acme,large,,100,50,7,3,20,150,0.5,,10,0,0,,ok,"a,b",/` +
		reporterKey + ",Account/reporter,\n" +
		"'=1+1,'-x,2030-01-01T08:00:00.5Z" + received + `'@x,"a""b,c",,10,5,0,0,0,15,,,,0,0,,ok,,/` + reporterKey +
		",Account/reporter,\n"
	if r.Body.String() != want {
		t.Errorf("got  %s\nwant %s", r.Body, want)
	}
}

func TestUsage_ExportLines(t *testing.T) {
	e := newUsageEnv(t)
	e.store(t, reporterKey, someCalls...)
	r := e.get(exportPath+"?format=ndjson&ai_model=large&start_date=2030-01-01&tz=Europe/Berlin", usageKey)
	if r.Header().Get("Content-Type") != mediaLines {
		t.Error(r.Header())
	}
	var ids []string
	for line := range strings.Lines(r.Body.String()) {
		var record struct{ ID string }
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, record.ID)
	}
	if strings.Join(ids, " ") != "1 3" {
		t.Errorf("%s", r.Body)
	}
	r = e.get(exportPath+"?format=ndjson&ai_model=none", usageKey)
	if r.Code != 200 || r.Body.Len() > 0 || r.Header().Get("Content-Type") != mediaLines {
		t.Errorf("%d %s %v", r.Code, r.Body, r.Header())
	}
	r = e.ask(http.MethodHead, exportPath, usageKey, "")
	if r.Code != 200 || r.Body.Len() > 0 || r.Header().Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("%d %s %v", r.Code, r.Body, r.Header())
	}
}

func TestUsage_ExportIsStreamed(t *testing.T) {
	const records = 20_000
	e := newEnvWithUsage(t, &endless{records: records})
	server := httptest.NewServer(e)
	defer server.Close()
	rows, err := csv.NewReader(e.download(t, server.URL)).ReadAll()
	if err != nil || len(rows) != records+1 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// What could not be read must not look like the end.
func TestUsage_ExportIsCutOffByAnError(t *testing.T) {
	down := errors.New("down")
	e := newEnvWithUsage(t, &endless{records: 20_000, err: down})
	server := httptest.NewServer(e)
	defer server.Close()
	if content, err := io.ReadAll(e.download(t, server.URL)); err == nil || len(content) == 0 {
		t.Errorf("%d bytes, %v", len(content), err)
	}
	e = newEnvWithUsage(t, &endless{records: 3, err: down})
	if r := e.get(exportPath, usageKey); r.Code != 503 || detail(r) == "" || r.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", r.Code, r.Body)
	}
}

// download begins an export over a connection.
func (*env) download(t *testing.T, address string) io.Reader {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+exportPath, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+usageKey)
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reply.Body.Close() })
	return reply.Body
}

// endless is a store with some records, after which it may fail.
type endless struct {
	usage.Store
	records int
	err     error
}

func (e *endless) Each(_ context.Context, _ usage.Query, yield func(*usage.Record) error) error {
	for i := range e.records {
		if err := yield(&usage.Record{ID: fmt.Sprint(i), At: begin, ReceivedAt: begin}); err != nil {
			return err
		}
	}
	return e.err
}
