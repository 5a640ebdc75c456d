package admin_test

import (
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"keywright.dev/keywright/internal/manage/audit"
)

func TestAudit_List(t *testing.T) {
	env := newEnv(t)
	env.ask("DELETE", of("bob"), aliceKey, "")
	env.ask("DELETE", of("bob"), aliceKey, "")
	env.memory.entries[0].At = begin
	env.memory.entries[1].At = begin.Add(time.Second)
	r := env.ask("GET", "/api/admin/audit?limit=1", aliceKey, "")
	id := env.registry.Ring.Digest(aliceKey).KeyID()
	want := `{"entries":[{"id":2,"at":"2030-01-01T12:00:01Z","actor":"User/alice","key_id":"` + id + `","from":"192.0.2.1",` +
		`"action":"user.delete","target":"User/bob","outcome":"refused","detail":"Admin user 'bob' not found","reason":"","reason":"","count":1}],"next":2}` + "\n"
	var a, b any
	if json.Unmarshal(r.Body.Bytes(), &a) != nil || r.Code != 200 {
		t.Fatal(r.Code, r.Body)
	}
	_ = json.Unmarshal([]byte(want), &b)
	if got, _ := json.Marshal(a); string(got) != mustJSON(b) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r = env.ask("GET", "/api/admin/audit", aliceKey, "")
	var page struct {
		Entries []any
		Next    *int64
	}
	if json.Unmarshal(r.Body.Bytes(), &page) != nil || len(page.Entries) != 2 || page.Next != nil {
		t.Error(r.Body)
	}
}

func mustJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestAudit_Filters(t *testing.T) {
	env := newEnv(t)
	query := url.Values{
		"actor": {"User/alice"}, "action": {"login"}, "target": {"User/bob"}, "outcome": {"done"}, "from": {"::1"},
		"since": {"2030-01-01T00:00:00Z"}, "until": {"2030-01-02T00:00:00+01:00"}, "before": {"17"}, "limit": {"1000"},
	}
	if r := env.ask("GET", "/api/admin/audit?"+query.Encode(), aliceKey, ""); r.Code != 200 {
		t.Fatal(r.Code, r.Body)
	}
	got := env.memory.filters[0]
	got.Since, got.Until = got.Since.UTC(), got.Until.UTC()
	want := audit.Filter{
		Actor: "User/alice", Action: "login", Target: "User/bob", Outcome: "done", From: "::1",
		Since: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(
			2030, 1, 1, 23, 0, 0, 0, time.UTC,
		), Before: 17, Limit: 1000,
	}
	if got != want {
		t.Errorf("got %+v", got)
	}
	for raw, text := range map[string]string{
		"limit=0": "limit must be a whole number over 0", "limit=x": "limit must be a whole number over 0",
		"limit=1001":       "limit must be at most 1000",
		"before=-1":        "before must be a whole number over 0",
		"since=yesterday":  "since must be a time such as 2030-01-31T12:00:00Z",
		"until=2030-01-01": "until must be a time such as 2030-01-31T12:00:00Z", "user=bob": `"user" is not a filter`, "limit=1&limit=2": "limit is given twice",
		"a=%zz": "The query can't be read", "a;b": "The query can't be read",
	} {
		if r := env.ask("GET", "/api/admin/audit?"+raw, aliceKey, ""); r.Code != 400 || detail(r) != text {
			t.Errorf("%s: %d %s", raw, r.Code, r.Body)
		}
	}
}
