package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/test/fakeobjects"
)

// Whatever the verb and the surface, the reason is in the audit trail and in the event.
func TestReason_IsRecorded(t *testing.T) {
	const reason = "laptop lost, ticket 17"
	for verb, attempts := range issuingVerbs() {
		i := slices.IndexFunc(attempts, func(a attempt) bool { return a.may })
		t.Run(verb, func(t *testing.T) {
			e, a := newEnv(t), attempts[i]
			path, body := a.prepare(t, e)
			e.Reset()
			before := len(e.Trail.Entries())
			e.headers = http.Header{httpapi.ReasonHeader: {reason}}
			method, _, _ := strings.Cut(verb, " ")
			if method == "mutation" {
				method = http.MethodPost
			}
			if got := e.ask(t, a.by, method, path, body); got.status >= 300 {
				t.Fatal(got.body)
			}
			for _, event := range e.Events() {
				if !strings.HasSuffix(event.Message, ": "+reason) {
					t.Errorf("event %q", event.Message)
				}
			}
			entries := e.Trail.Entries()[before:]
			if len(entries) == 0 || len(e.Events()) == 0 {
				t.Fatalf("%d entries, %d events", len(entries), len(e.Events()))
			}
			for _, entry := range entries {
				if entry.Reason != reason {
					t.Errorf("entry %+v", entry)
				}
			}
		})
	}
}

func TestReason_BadOnesChangeNothing(t *testing.T) {
	for name, values := range map[string][]string{
		"two lines":    {"a\nb"},
		"too long":     {strings.Repeat("x", 257)},
		"not UTF-8":    {"\xff"},
		"a direction":  {"a\u202eb"},
		"given twice":  {"a", "b"},
		"a terminal's": {"\x1b[31m"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			e.headers = http.Header{httpapi.ReasonHeader: values}
			got := e.ask(t, aliceKey, http.MethodPost, "/api/admin/users", `{"username":"new"}`)
			if got.status != 400 || got.text != "Keywright-Reason: must be one line of text, at most 256 bytes, given once" ||
				len(e.Writes()) > 0 {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
}

// A reason is for people, who paste a key where a word belongs.
func TestReason_HidesKeys(t *testing.T) {
	e := newEnv(t)
	e.headers = http.Header{httpapi.ReasonHeader: {"rotating " + fakeobjects.BootstrapKey + " away"}}
	e.ask(t, aliceKey, http.MethodPost, "/api/admin/users", `{"username":"new"}`)
	for _, entry := range e.Trail.Entries() {
		if strings.Contains(entry.Reason, fakeobjects.BootstrapKey) {
			t.Error(entry.Reason)
		}
	}
	for _, event := range e.Events() {
		if strings.Contains(event.Message, fakeobjects.BootstrapKey) {
			t.Error(event.Message)
		}
	}
}
