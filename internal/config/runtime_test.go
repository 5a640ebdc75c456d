package config_test

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/config/prices"
	"keywright.dev/keywright/internal/key/pepper"
)

func TestParseRuntime_ReadsEncode(t *testing.T) {
	rate := rapid.Custom(func(t *rapid.T) prices.Rate {
		rate, _ := prices.PerToken(float64(rapid.Int64Range(0, 1e15).Draw(t, "femtos")) / 1e15)
		return rate
	})
	rapid.Check(t, func(t *rapid.T) {
		in := config.Runtime{
			BootstrapDigest: rapid.String().Draw(t, "digest"), FormerBootstrapDigests: []string{"earlier"},
			KeyPrefix:         rapid.StringMatching(`[a-z][a-z0-9]{0,6}_`).Draw(t, "prefix"),
			AllowedUsers:      rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "users"),
			InsecureCookies:   rapid.Bool().Draw(t, "cookies"),
			TrustProxyHeaders: rapid.Bool().Draw(t, "proxy"), TrustedProxies: []netip.Prefix{
				netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, rapid.Byte().Draw(t, "address")}), 32),
				netip.MustParsePrefix("2001:db8::/32"),
			},
			TrustUsernames: rapid.Bool().Draw(t, "names"),
			AnonymousReads: rapid.Bool().Draw(t, "reads"), DenyUnmatched: rapid.Bool().Draw(t, "deny"),
			Account: rapid.String().Draw(t, "account"),
			Routes: []routes.Route{{Match: rapid.String().Draw(t, "match"), Action: "a", Resource: "<&>\u2028", Owner: "{o}"},
				{Anonymous: true}},
			Credentials: rapid.SampledFrom([][]string{nil, {"X-API-Key"}}).Draw(t, "credentials"),
			Prices: []prices.Price{{
				Provider: rapid.String().Draw(t, "provider"), Model: rapid.String().Draw(t, "model"), From: "2030-01-31",
				Above: rapid.Int64Range(0, prices.MaxAbove).Draw(t, "above"), ServiceTier: prices.Batch,
				Rates: prices.Rates{
					Input: rate.Draw(t, "input"), Output: rate.Draw(t, "output"), CacheRead: rate.Draw(t, "read"),
					Reasoning: rate.Draw(t, "reasoning"),
				},
			}},
			StaleAfter: time.Duration(rapid.Int64Min(0).Draw(t, "stale")),
			Audit: config.Audit{
				Retention:  time.Duration(rapid.Int64().Draw(t, "retention")),
				MaxEntries: rapid.IntMin(0).Draw(t, "entries"),
			},
			Usage: config.Usage{
				Retention:       time.Duration(rapid.Int64().Draw(t, "retention of records")),
				MaxRecords:      rapid.IntMin(0).Draw(t, "records"),
				RollupRetention: time.Duration(rapid.Int64Min(0).Draw(t, "retention of roll-ups")),
			},
		}
		document := in.Encode()
		out, err := config.ParseRuntime(document)
		if err != nil || !reflect.DeepEqual(out, in) || out.Encode() != document || len(config.Changes(in, out)) != 0 {
			t.Fatalf("%v\n%+v\n%+v", err, in, out)
		}
	})
}

func TestParseRuntime_RefusesInvalidDocuments(t *testing.T) {
	for document, want := range map[string]string{
		"": "can't be read", "{": "can't be read", "[]": "can't be read", `{} {}`: "can't be read",
		`{"routes":{}}`: "can't be read",
		"null":          "is empty", `{"keyPrefix":"Ak_"}`: "keyPrefix", `{"keyPrefix":" "}`: "keyPrefix",
		`{"staleAfter":-1}`: "staleAfter", `{"trustedProxies":["10.0.0.0/33"]}`: "can't be read",
		`{"trustedProxies":[""]}`:               "trustedProxies",
		`{"audit":{"maxEntries":-1}}`:           "audit entries",
		`{"prices":[{"model":"m","input":-1}]}`: "not from 0", `{"prices":[{"model":"m","input":"1"}]}`: "not a number",
		`{"prices":[{"model":"m","output":1e-10}]}`: "over 0 and under", `{"prices":[{"input":1000001}]}`: "not from 0",
		`{"prices":[{"model":"m","cacheRead":1e999}]}`: "not a number",
		`{"usage":{"maxRecords":-1}}`:                  "token usage", `{"usage":{"rollupRetention":-1}}`: "token usage",
	} {
		out, err := config.ParseRuntime(document)
		if err == nil || !strings.Contains(err.Error(), want) || !reflect.DeepEqual(out, config.Runtime{}) {
			t.Errorf("%q: %+v, %v", document, out, err)
		}
	}
	if out, err := config.ParseRuntime(`{"fromTheFuture":1}`); err != nil || !reflect.DeepEqual(out, config.Runtime{}) {
		t.Errorf("a newer document: %+v, %v", out, err)
	}
}

// Servers of other versions read these names.
func TestEncode_Document(t *testing.T) {
	in := config.Runtime{
		BootstrapDigest: "d", FormerBootstrapDigests: []string{"c"}, KeyPrefix: "kw_", AllowedUsers: []string{"alice"},
		InsecureCookies:   true,
		TrustProxyHeaders: true, TrustedProxies: []netip.Prefix{
			netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::1/128"),
		},
		TrustUsernames: true, AnonymousReads: true, Routes: []routes.Route{
			{Match: "/<&>", Action: "a", Resource: "r", Owner: "o"}, {Match: "/", Anonymous: true},
		}, DenyUnmatched: true, Credentials: []string{"X-API-Key", "api-key"},
		Account: "acme", Prices: []prices.Price{
			{Provider: "p", Model: "m", Rates: prices.Rates{
				Input: perMillion(0.15), Output: perMillion(10), CacheRead: prices.Free, CacheWrite: perMillion(1e-9),
			}},
			{
				Model: "m", From: "2030-01-31", Above: 200_000, ServiceTier: "batch",
				Rates: prices.Rates{Reasoning: perMillion(1)},
			},
		},
		StaleAfter: time.Second, Audit: config.Audit{Retention: -1, MaxEntries: 1000},
		Usage: config.Usage{Retention: -1, MaxRecords: 2000, RollupRetention: 1},
	}
	const want = `{"bootstrapDigest":"d","formerBootstrapDigests":["c"],"keyPrefix":"kw_",` +
		`"allowedUsers":["alice"],"insecureCookies":true,` +
		`"trustProxyHeaders":true,"trustedProxies":["10.0.0.0/8","2001:db8::1/128"],"trustUsernames":true,"anonymousReads":true,` +
		`"credentials":["X-API-Key","api-key"],` +
		`"routes":[{"match":"/<&>","action":"a","resource":"r","owner":"o"},{"match":"/","anonymous":true}],"denyUnmatched":true,"account":"acme",` +
		`"prices":[{"provider":"p","model":"m","input":0.15,"output":10,"cacheRead":0,"cacheWrite":0.000000001},` +
		`{"model":"m","from":"2030-01-31","above":200000,"serviceTier":"batch","reasoning":1}],` +
		`"staleAfter":1000000000,"audit":{"retention":-1,"maxEntries":1000},` +
		`"usage":{"retention":-1,"maxRecords":2000,"rollupRetention":1}}`
	if got := in.Encode(); got != want {
		t.Errorf("got %s", got)
	}
	if got := (config.Runtime{}).Encode(); got != "{}" {
		t.Errorf("the default configuration is %s", got)
	}
}

func TestSucceedBootstrap(t *testing.T) {
	digest := func(i int) string { return pepper.Digest{PepperID: "0123abcd", Sum: pepper.Sum{byte(i)}}.String() }
	former := config.Runtime{BootstrapDigest: "written by another client"}
	for i := range 40 {
		next := config.Runtime{BootstrapDigest: digest(i)}
		next.SucceedBootstrap(&former)
		again := config.Runtime{BootstrapDigest: digest(i)}
		again.SucceedBootstrap(&next)
		if !reflect.DeepEqual(again, next) {
			t.Errorf("the same key again: %+v instead of %+v", again, next)
		}
		former = next
	}
	if n := len(former.FormerBootstrapDigests); n != 16 || former.FormerBootstrapDigests[0] != digest(38) {
		t.Errorf("%d former keys: %v", n, former.FormerBootstrapDigests)
	}
	for i, want := range map[int]bool{39: true, 38: true, 23: true, 22: false} {
		if former.IsBootstrap(digest(i)) != want {
			t.Errorf("%d is a bootstrap key: %t", i, !want)
		}
	}
	back := config.Runtime{BootstrapDigest: digest(30)}
	back.SucceedBootstrap(&former)
	none := config.Runtime{}
	none.SucceedBootstrap(&back)
	if slices.Contains(back.FormerBootstrapDigests, digest(30)) || none.FormerBootstrapDigests[0] != digest(30) ||
		none.IsBootstrap("") || len(none.FormerBootstrapDigests) != 16 {
		t.Errorf("%+v, then %+v", back, none)
	}
}

func TestRevision(t *testing.T) {
	one, other := config.Revision("{}"), config.Revision(`{"account":"a"}`)
	if len(one) != 12 || one == other || one != config.Revision("{}") {
		t.Errorf("%s and %s", one, other)
	}
}
