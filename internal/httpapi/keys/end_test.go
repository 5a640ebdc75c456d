package keys_test

import (
	"testing"

	"keywright.dev/keywright/internal/manage/audit"
)

// A key is revoked as it is disabled, but for good. The audit trail has the operation by its own name.
func TestChange_RevokesForGood(t *testing.T) {
	env := newEnv(t)
	path, token := env.made(t, "accounts/lab", `{"name":"x"}`)
	for range 2 {
		r := env.ask(t, admin, "PATCH", path, `{"revoked":true}`)
		if r.status != 200 || r.data["revoked"] != true || r.data["active"] != false || r.data["reason"] != "revoked" {
			t.Fatal(r.status, r.body)
		}
	}
	if env.May(token, "certs.read", "*") || env.Verifier.Verify(token, env.Time()).Accepted() {
		t.Error("the key is accepted")
	}
	env.ask(t, admin, "PATCH", path, `{"enabled":true}`).want(t, 409, 4009, "API key x is revoked for good: create another")
	entries := env.Trail.Entries()
	if last := entries[len(entries)-2]; last.Action != audit.KeyRevoke || last.Outcome != audit.Done {
		t.Errorf("audited %+v", last)
	}
	env.ask(t, bobKey, "PATCH", path, `{"revoked":true}`).want(t, 403, 4003, "API key lacks required permission")
}

// The reply to a rotation reports when callers with the old key are refused.
func TestRotate_RepliesWhenThePreviousKeyEnds(t *testing.T) {
	for body, want := range map[string]string{
		``: "2030-01-01T00:00:00Z", `{"overlap_seconds":0}`: "2030-01-01T00:00:00Z",
		`{"overlap_seconds":3600}`: "2030-01-01T01:00:00Z",
	} {
		env := newEnv(t)
		path, _ := env.made(t, "accounts/lab", `{"name":"x"}`)
		if r := env.ask(t, admin, "POST", path+"/rotate", body); r.data["previous_ends_at"] != want {
			t.Errorf("%s: %d %s, want %s", body, r.status, r.body, want)
		}
	}
}
