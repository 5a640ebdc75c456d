package gate_test

import (
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

func TestAuthenticate_ReturnsCallerOfAcceptedKey(t *testing.T) {
	h := newFixture(t)
	h.admin("zoe", "a-key-that-ends-in-an-hour", verify.Accepted, now.Add(time.Hour))
	for plaintext, want := range map[string]struct {
		subject string
		admin   bool
		scopes  string
		ends    time.Time
	}{
		aliceKey:                     {"User/alice", true, "", time.Time{}},
		bootstrapKey:                 {"User/admin", true, "", time.Time{}},
		bobsAPIKey:                   {"User/bob", false, "certs.read", time.Time{}},
		ciKey:                        {"Account/ci", false, "certs.read certs.write", time.Time{}},
		"a-key-that-ends-in-an-hour": {"User/zoe", true, "", now.Add(time.Hour)},
	} {
		d := h.Authenticate(plaintext, "")
		c, active := d.Caller, d.Outcome == gate.Allowed
		if !active || c.Subject != want.subject || c.Admin != want.admin || !c.Ends().Equal(want.ends) ||
			strings.Join(c.Scopes, " ") != want.scopes {
			t.Errorf("%s: %t %+v, ends %s", want.subject, active, c, c.Ends())
		}
		if (c.KeyObjectUID() == "") != (plaintext == bootstrapKey) {
			t.Errorf("%s: its object has uid %q", want.subject, c.KeyObjectUID())
		}
		if c.KeyID != h.ring.Digest(plaintext).KeyID() {
			t.Errorf("%s: key %s", want.subject, c.KeyID)
		}
	}
}

// Neither a session nor a header value is a key.
func TestAuthenticate_RefusesEverythingElse(t *testing.T) {
	h := newFixture(t)
	want := map[string]float64{}
	for plaintext, verdict := range map[string]string{
		daveKey: "disabled", erinKey: "expired", ginaKey: "demoted", revokedKey: "revoked", davesAPIKey: "owner_disabled",
		lackingKey:   "unknown_role",
		unknownKey:   "unknown",
		aliceSession: "unknown", mistypedKey: "malformed", "Bearer " + aliceKey: "malformed", aliceKey + "\n": "malformed",
		"":     "empty",
		"\x00": "malformed", strings.Repeat("x", 1<<16): "malformed",
	} {
		want[verdict]++
		d := h.Authenticate(plaintext, "")
		c, active := d.Caller, d.Outcome == gate.Allowed
		if active || c.Credential != gate.CredentialNone || c.Identity() != new(gate.Caller).Identity() ||
			!c.Ends().IsZero() {
			t.Errorf("%s: %t %+v", verdict, active, c)
		}
		line := h.log.Take()
		if !strings.Contains(line, `"verdict":"`+verdict+`"`) {
			t.Errorf("%s: %s", verdict, line)
		}
		noKeys(t, line)
	}
	h.Authenticate(aliceKey, "")
	noKeys(t, h.log.Take())
	want["accepted"] = 1
	got := h.verdicts(t)
	for verdict, n := range got {
		if n != want[verdict] {
			t.Errorf("%s: counted %v, want %v", verdict, n, want[verdict])
		}
	}
	for outcome, n := range h.counts(t, "keywright_decisions_total") {
		if n > 0 {
			t.Errorf("%v decisions: %s", n, outcome)
		}
	}
}

func TestAuthenticateSession(t *testing.T) {
	for cookie, want := range map[string]string{
		aliceSession: "session User/alice admin", bobSession: "session User/bob", bootedSession: "session User/admin admin",
		lackingSession: "session User/lara",
		daveSession:    "unauthenticated", erinSession: "unauthenticated", noSession: "unauthenticated",
		aliceKey: "unauthenticated", "": "unauthenticated",
	} {
		d := newFixture(t).AuthenticateSession(cookie, "")
		if describe(&d) != want {
			t.Errorf("%q: got %s, want %s", cookie, describe(&d), want)
		}
	}
}

func TestAuthenticate_RecordsUseFromTheGivenAddress(t *testing.T) {
	d := newRecordings(t, plain)
	d.Authenticate(bobsAPIKey, "192.0.2.7")
	d.want(t, "a key", []string{"User/bob from 192.0.2.7"}, []string{"bob from 192.0.2.7"})
	d.AuthenticateSession(aliceSession, "2001:db8::1")
	d.want(t, "a session", []string{"alice from 2001:db8::1"}, nil)
	d.AuthenticateSession(erinSession, "192.0.2.7")
	d.want(t, "an ended session", nil, nil)
}

func TestAuthenticate_RefusesWhileNotReadyOrStale(t *testing.T) {
	h := newFixture(t)
	h.use(t, config.Runtime{StaleAfter: time.Minute})
	h.view.age.Store(int64(time.Hour))
	for name, d := range map[string]gate.Decision{
		"key": h.Authenticate(aliceKey, ""), "session": h.AuthenticateSession(aliceSession, ""),
	} {
		if d.Outcome != gate.Stale || d.Caller.Credential != gate.CredentialNone || d.Refusal().Status != 503 {
			t.Errorf("%s: %s, %+v", name, d.Outcome, d.Caller)
		}
	}
	h.Use(nil)
	if d := h.Authenticate(aliceKey, ""); d.Outcome != gate.NotReady {
		t.Errorf("without rules: %s", d.Outcome)
	}
}
