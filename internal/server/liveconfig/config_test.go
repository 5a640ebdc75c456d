package liveconfig_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/config/prices"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/server/endedkeys"
	"keywright.dev/keywright/internal/server/liveconfig"
)

const bootstrap = "the-bootstrap-key-of-a-test"

var begin = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// fixture has a configuration and its targets.
type fixture struct {
	*liveconfig.Config
	index    *verify.Index
	verifier *verify.Verifier
	ring     *pepper.Keyring
	rules    *gate.Rules
	ended    []pepper.Digest
	bounds   []time.Duration
	prices   []prices.Price
	now      time.Time
}

func (f *fixture) Use(rules *gate.Rules) { f.rules = rules }

func (f *fixture) KeepWithin(age time.Duration) { f.bounds = append(f.bounds, age) }

func (f *fixture) UseSetting(all []prices.Price) { f.prices = all }

func (f *fixture) takeRevoked(keys []pepper.Digest) { f.ended = append(f.ended, keys...) }

func newFixture(t *testing.T) *fixture {
	t.Helper()
	ring, err := pepper.Load(map[string][]byte{pepper.Active: bytes.Repeat([]byte{'p'}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{index: &verify.Index{}, ring: ring, now: begin}
	f.verifier = verify.NewVerifier(f.index, keyformat.Format{Prefix: keyformat.DefaultPrefix}, ring)
	targets := liveconfig.Targets{
		Index: f.index, Verifier: f.verifier, Gate: f, View: f, Prices: f, EndedKeys: endedkeys.New(f.takeRevoked),
	}
	f.Config = liveconfig.New(targets, func() time.Time { return f.now })
	return f
}

func (f *fixture) verdict(presented string) verify.Reason {
	return f.verifier.Verify(presented, f.now).Reason
}

func (f *fixture) apply(t *testing.T, r config.Runtime) string {
	t.Helper()
	document := r.Encode()
	if err := f.Apply(document); err != nil {
		t.Fatal(err)
	}
	return config.Revision(document)
}

func (f *fixture) hasChanged() bool {
	select {
	case <-f.Changed():
		return true
	default:
		return false
	}
}

func TestApply_KeepsViewWithinStaleAfter(t *testing.T) {
	f := newFixture(t)
	for _, age := range []time.Duration{time.Minute, 0} {
		f.apply(t, config.Runtime{StaleAfter: age})
		if got := f.bounds[len(f.bounds)-1]; got != age {
			t.Errorf("the view is kept within %s, want %s", got, age)
		}
	}
}

func TestApply_LimitsLifeOfKeys(t *testing.T) {
	f := newFixture(t)
	const presented = "the-key-of-a-program-without-an-end"
	f.index.Put(verify.ID{Kind: "APIKey", Namespace: "team", Name: "ci"}, verify.KeyObject{
		Identity: verify.Identity{Subject: "Account/ci"}, Standing: verify.Accepted, Rights: &access.Rights{},
		Keys: []verify.Key{{Digest: f.ring.Digest(presented), IssuedAt: begin}},
	})
	f.now = begin.Add(time.Hour)
	for _, c := range []struct {
		runtime config.Runtime
		want    verify.Reason
	}{
		{config.Runtime{}, verify.Accepted}, {config.Runtime{MaxTTL: time.Hour}, verify.Expired},
		{config.Runtime{MaxTTL: 2 * time.Hour}, verify.Accepted},
		{config.Runtime{MaxTTL: 2 * time.Hour, DefaultTTL: time.Hour}, verify.Expired}, {config.Runtime{}, verify.Accepted},
	} {
		f.apply(t, c.runtime)
		if got := f.verdict(presented); got != c.want {
			t.Errorf("%+v: %s", c.runtime.Limits(), got)
		}
	}
}

func TestApply_UsesPrices(t *testing.T) {
	f := newFixture(t)
	want := []prices.Price{{Model: "m", From: "2030-01-31", Rates: prices.Rates{Input: prices.Free}}}
	f.apply(t, config.Runtime{Prices: want})
	if !slices.Equal(f.prices, want) {
		t.Errorf("got %+v", f.prices)
	}
	if f.Apply(`{"prices":[{"model":"m","input":-1}]}`) == nil || !slices.Equal(f.prices, want) {
		t.Errorf("an invalid document changed the prices: %+v", f.prices)
	}
	f.apply(t, config.Runtime{})
	if len(f.prices) > 0 {
		t.Errorf("left %+v", f.prices)
	}
}

func TestReady_RequiresConfiguration(t *testing.T) {
	f := newFixture(t)
	if err := f.Ready(); err == nil || !strings.Contains(err.Error(), "keywright-runtime") {
		t.Error(err)
	}
	if f.Running() != (liveconfig.Running{}) {
		t.Error(f.Running())
	}
	_ = f.Apply("nonsense")
	if err := f.Ready(); err == nil || err.Error() != f.Refused().Error() {
		t.Errorf("%v, refused for %v", err, f.Refused())
	}
}

func TestApply_ConfiguresAllTargets(t *testing.T) {
	f := newFixture(t)
	revision := f.apply(t, config.Runtime{
		BootstrapDigest: f.ring.Digest(bootstrap).String(), KeyPrefix: "zz_", AllowedUsers: []string{"alice"},
	})
	if f.verdict(bootstrap) != verify.Accepted || f.rules == nil || f.rules.Format().Prefix != "zz_" {
		t.Errorf("%s, %+v", f.verdict(bootstrap), f.rules)
	}
	// A key with the prefix of generated keys and without their checksum is malformed; any other may be an adopted
	// key.
	a, z := f.verdict("ak_0123456789abcdef"), f.verdict("zz_0123456789abcdef")
	if a != verify.Unknown || z != verify.Malformed {
		t.Errorf("ak_ %s, zz_ %s", a, z)
	}
	if f.Ready() != nil || f.Running() != (liveconfig.Running{Revision: revision, Since: begin}) || !f.hasChanged() {
		t.Error(f.Ready(), f.Running())
	}
}

// Before a configuration is in force, the bounds of the audit trail are not the default: that could remove too much.
func TestAuditLimits(t *testing.T) {
	f := newFixture(t)
	if _, _, known := f.AuditLimits(); known {
		t.Error("known without a configuration")
	}
	for _, c := range []struct {
		audit     config.Audit
		retention time.Duration
		most      int
	}{
		{config.Audit{}, 9600 * time.Hour, 300_000},
		{config.Audit{Retention: time.Hour, MaxEntries: 7}, time.Hour, 7},
		{config.Audit{Retention: -1}, 0, 300_000},
	} {
		f.apply(t, config.Runtime{Audit: c.audit})
		retention, most, known := f.AuditLimits()
		if retention != c.retention || most != c.most || !known {
			t.Errorf("%+v: %s, %d, %t", c.audit, retention, most, known)
		}
	}
}

func TestUsageLimits(t *testing.T) {
	f := newFixture(t)
	if _, known := f.UsageLimits(); known {
		t.Error("known without a configuration")
	}
	for _, c := range []struct{ usage, want config.Usage }{
		{config.Usage{}, config.Usage{Retention: 2160 * time.Hour, MaxRecords: 1_000_000}},
		{config.Usage{Retention: -1, RollupRetention: 1}, config.Usage{MaxRecords: 1_000_000, RollupRetention: 1}},
	} {
		f.apply(t, config.Runtime{Usage: c.usage})
		if got, known := f.UsageLimits(); got != c.want || !known {
			t.Errorf("%+v: %+v, %t", c.usage, got, known)
		}
	}
}

func TestApply_RemovesSettings(t *testing.T) {
	f := newFixture(t)
	f.apply(t, config.Runtime{BootstrapDigest: f.ring.Digest(bootstrap).String(), KeyPrefix: "zz_"})
	f.apply(t, config.Runtime{})
	if f.verdict(bootstrap) != verify.Unknown || f.verdict("ak_0123456789abcdef") != verify.Malformed {
		t.Errorf("bootstrap %s", f.verdict(bootstrap))
	}
}

func TestApply_InvalidDocumentChangesNothing(t *testing.T) {
	good := config.Runtime{KeyPrefix: "zz_", AllowedUsers: []string{"alice"}}
	for name, document := range map[string]string{
		"empty": "", "truncated": "{", "array": "[]", "key as digest": `{"bootstrapDigest":"` + bootstrap + `"}`,
		"overlapping routes": config.Runtime{Routes: []routes.Route{{Match: "/a/{x}/b"}, {Match: "/a/b/{x}"}}}.Encode(),
		"wrong type":         `{"allowedUsers":"alice"}`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			good.BootstrapDigest = f.ring.Digest(bootstrap).String()
			revision := f.apply(t, good)
			f.hasChanged()
			before := f.rules
			err := f.Apply(document)
			if err == nil || strings.Contains(err.Error(), bootstrap) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("error %v", err)
			}
			if f.rules != before || f.verdict(bootstrap) != verify.Accepted ||
				f.Running().Revision != revision || f.hasChanged() {
				t.Error("an invalid document changed something")
			}
			if f.Ready() != nil || f.Refused() == nil {
				t.Errorf("ready: %v, refused: %v", f.Ready(), f.Refused())
			}
			f.now = begin.Add(time.Hour)
			f.apply(t, good)
			if f.Refused() != nil || !f.Running().Since.Equal(begin) || f.hasChanged() {
				t.Errorf("after the valid document: %v, %+v", f.Refused(), f.Running())
			}
		})
	}
}

// A restarted watch delivers the same document again.
func TestApply_SameDocumentIsNoChange(t *testing.T) {
	f := newFixture(t)
	f.apply(t, config.Runtime{})
	before := f.rules
	f.hasChanged()
	f.now = begin.Add(time.Hour)
	f.apply(t, config.Runtime{})
	if f.rules != before || !f.Running().Since.Equal(begin) || f.hasChanged() {
		t.Error("the document came into force again")
	}
}

func TestConfig_AccountAndActions(t *testing.T) {
	f := newFixture(t)
	if f.Account() != "default" || len(f.Actions()) > 0 {
		t.Errorf("%s %q", f.Account(), f.Actions())
	}
	const document = `{"account":"acme","routes":[{"match":"/b","action":"certs.write"},` +
		`{"match":"/a","action":"certs.read"},{"match":"/c","action":"certs.write"},{"match":"/d"}]}`
	for range 2 {
		if err := f.Apply(document); err != nil {
			t.Fatal(err)
		}
		if got := f.Actions(); f.Account() != "acme" || !slices.Equal(got, []string{"certs.read", "certs.write"}) {
			t.Errorf("%s %q", f.Account(), got)
		}
	}
	if f.Apply(`{"account":`) == nil || f.Account() != "acme" {
		t.Error(f.Account())
	}
}

func TestApply_EndsSessionsOfReplacedBootstrapKey(t *testing.T) {
	f := newFixture(t)
	first, second := f.ring.Digest(bootstrap), f.ring.Digest(bootstrap+"-2")
	f.apply(t, config.Runtime{BootstrapDigest: first.String()})
	f.apply(t, config.Runtime{BootstrapDigest: first.String(), DenyUnmatched: true})
	if len(f.ended) > 0 {
		t.Fatalf("the sessions of %v ended, whose key is in force", f.ended)
	}
	f.apply(t, config.Runtime{BootstrapDigest: second.String()})
	f.apply(t, config.Runtime{})
	if !slices.Equal(f.ended, []pepper.Digest{first, second}) {
		t.Errorf("%v ended, want %s and %s", f.ended, first, second)
	}
}
