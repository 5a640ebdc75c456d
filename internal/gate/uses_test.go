package gate_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

// useLog collects reported uses.
type useLog struct {
	uses  []verify.Use
	every time.Duration
}

func (l *useLog) Record(u verify.Use)     { l.uses = append(l.uses, u) }
func (l *useLog) Interval() time.Duration { return l.every }

// seenLog collects reported names.
type seenLog struct {
	names []string
	times []time.Time
}

func (l *seenLog) Record(name, from string, at time.Time) {
	l.names, l.times = append(l.names, name+" from "+from), append(l.times, at)
}

// recordings is a fixture with a clock, and what its gate reports.
type recordings struct {
	*fixture
	at   time.Time
	used *useLog
	seen *seenLog
}

func newRecordings(t *testing.T, runtime config.Runtime) *recordings {
	t.Helper()
	r := &recordings{fixture: newFixture(t), at: now, used: &useLog{every: verify.UseInterval}, seen: &seenLog{}}
	r.Now = func() time.Time { return r.at }
	r.Uses, r.SeenUsers = r.used, r.seen
	r.use(t, runtime)
	return r
}

// take returns what was reported since the last call.
func (r *recordings) take() (used, seen []string) {
	for _, u := range r.used.uses {
		used = append(used, u.UID+" from "+u.From)
	}
	seen = r.seen.names
	r.used.uses, r.seen.names, r.seen.times = nil, nil, nil
	return used, seen
}

func (r *recordings) want(t *testing.T, what string, used, seen []string) {
	t.Helper()
	for i, at := range r.seen.times {
		if !at.Equal(r.at) {
			t.Errorf("%s was seen at %s", r.seen.names[i], at)
		}
	}
	if gotUsed, gotSeen := r.take(); !slices.Equal(gotUsed, used) || !slices.Equal(gotSeen, seen) {
		t.Errorf("%s: used %q, seen %q, want %q and %q", what, gotUsed, gotSeen, used, seen)
	}
}

func (r *recordings) askFrom(remote, method string, header http.Header) gate.Decision {
	return r.Decide(&gate.Request{Method: method, Host: "h", Target: "/", Header: header, RemoteAddr: remote})
}

func TestUses_ReportsAdmittedCallers(t *testing.T) {
	const remote = "192.0.2.7:4711"
	d := newRecordings(t, config.Runtime{AllowedUsers: []string{"carol", "dora"}, TrustProxyHeaders: true})
	for name, c := range map[string]struct {
		method     string
		header     http.Header
		used, seen []string
	}{
		"an admin's key":               {"GET", from(bearer(aliceKey)), []string{"alice from 192.0.2.7"}, nil},
		"an unknown key":               {"GET", from(bearer(unknownKey)), nil, nil},
		"a disabled key":               {"GET", from(bearer(daveKey)), nil, nil},
		"of a missing role":            {"GET", from(bearer(lackingKey)), nil, nil},
		"not on the list":              {"POST", from(bearer(bobsAPIKey)), nil, nil},
		"a program's":                  {"GET", from(bearer(ciKey)), []string{"Account/ci from 192.0.2.7"}, nil},
		"the bootstrap key":            {"GET", from(bearer(bootstrapKey)), nil, nil},
		"anonymous":                    {"GET", from(), nil, nil},
		"a proxy name":                 {"POST", from("X-Forwarded-User: carol"), nil, []string{"carol from 192.0.2.7"}},
		"of an admin":                  {"GET", from("X-Forwarded-User: alice"), nil, nil},
		"of one not listed":            {"POST", from("X-Forwarded-User: zoe"), nil, nil},
		"of an admin, in another case": {"GET", from("X-Forwarded-User: Alice"), nil, nil},
		"a saved name":                 {"GET", from("Cookie: keywright_user=zoe"), nil, nil},
	} {
		d.at = d.at.Add(time.Hour)
		d.askFrom(remote, c.method, c.header)
		d.want(t, name, c.used, c.seen)
	}
	d.at = d.at.Add(time.Hour)
	d.askFrom(remote, "GET", from(bearer(bobsAPIKey)))
	d.want(t, "a user's key", []string{"User/bob from 192.0.2.7"}, []string{"bob from 192.0.2.7"})
	d.askFrom(remote, "GET", from(session(bobSession)))
	d.want(t, "a session of that key, at once", nil, nil)
	d.at = d.at.Add(time.Hour)
	d.askFrom(remote, "GET", from(session(bobSession)))
	d.want(t, "a session of that key", []string{"User/bob from 192.0.2.7"}, []string{"bob from 192.0.2.7"})
}

func TestUses_ReportsOncePerInterval(t *testing.T) {
	d := newRecordings(t, plain)
	for range 1000 {
		d.askFrom("192.0.2.7:1", "GET", from(bearer(ciKey)))
		d.askFrom("192.0.2.8:1", "GET", from(bearer(aliceKey)))
		d.at = d.at.Add(100 * time.Millisecond)
	}
	if n := len(d.used.uses); n != 8 {
		t.Errorf("two keys were reported %d times in 100 s", n)
	}
	u := d.used.uses[0]
	want := verify.Use{
		Object: verify.ID{Kind: "APIKey", Namespace: "n", Name: "Account/ci"}, UID: "Account/ci",
		KeyID: d.ring.Digest(ciKey).KeyID(), At: now, From: "192.0.2.7",
	}
	if u != want {
		t.Errorf("reported %+v, want %+v", u, want)
	}
}

func TestUses_HonoursLongerInterval(t *testing.T) {
	d := newRecordings(t, plain)
	d.used.every = time.Hour
	for range 200 {
		d.askFrom("192.0.2.7:1", "GET", from(bearer(bobsAPIKey)))
		d.at = d.at.Add(time.Minute)
	}
	if used, seen := len(d.used.uses), len(d.seen.names); used != 4 || seen != 4 {
		t.Errorf("a key was reported %d times in 200 minutes, and its user %d times", used, seen)
	}
}

func TestUses_IncludeManagementAndIntrospection(t *testing.T) {
	d := newRecordings(t, plain)
	request := httptest.NewRequest(http.MethodGet, "/api/auth/me", nil)
	request.RemoteAddr = "[2001:db8::1]:443"
	request.Header = from(bearer(bobsAPIKey))
	d.Gate.IdentifyOrAnonymous(request)
	d.want(t, "a key", []string{"User/bob from 2001:db8::1"}, []string{"bob from 2001:db8::1"})
	d.IdentifyOrAnonymous(from(bearer(ciKey)))
	d.want(t, "an unknown address", []string{"Account/ci from "}, nil)
	request.Header = from("Cookie: keywright_user=zoe", bearer(unknownKey))
	d.Gate.IdentifyOrAnonymous(request)
	d.want(t, "a claim", nil, []string{"zoe from 2001:db8::1"})
	request.Header = from("Cookie: keywright_user=alice")
	d.Gate.IdentifyOrAnonymous(request)
	d.want(t, "a claim to be an admin", nil, nil)
	request.Header = from(bearer(aliceKey))
	d.Gate.Identify(request)
	d.want(t, "an introspecting caller", []string{"alice from 2001:db8::1"}, nil)
	d.Identify(from())
	d.Authenticate(davesAPIKey, "")
	d.want(t, "anonymous", nil, nil)
	d.Authenticate(alicesAPIKey, "")
	d.want(t, "a key that is asked about", []string{"User/alice from "}, nil)
}

func TestUses_WithoutRecorders(t *testing.T) {
	d := newRecordings(t, plain)
	d.Uses = nil
	d.askFrom("192.0.2.7:1", "GET", from(bearer(bobsAPIKey)))
	d.want(t, "seen alone", nil, []string{"bob from 192.0.2.7"})
	d.Uses, d.SeenUsers, d.at = d.used, nil, d.at.Add(time.Hour)
	d.askFrom("192.0.2.7:1", "GET", from(bearer(bobsAPIKey)))
	d.want(t, "used alone", []string{"User/bob from 192.0.2.7"}, nil)
	d.Uses, d.at = nil, d.at.Add(time.Hour)
	if got := d.askFrom("192.0.2.7:1", "GET", from(bearer(bobsAPIKey))); got.Outcome != gate.Allowed {
		t.Error(got.Outcome)
	}
}

func TestClientAddress(t *testing.T) {
	for name, c := range map[string]struct {
		remote    string
		forwarded []string
		// peer and forwardedFor are recorded if X-Forwarded-For is not trusted, and if it is.
		peer, forwardedFor string
	}{
		"nothing":        {"", nil, "", ""},
		"a peer":         {"192.0.2.1:80", nil, "192.0.2.1", "192.0.2.1"},
		"without a port": {"192.0.2.1", nil, "192.0.2.1", "192.0.2.1"},
		"of IPv6":        {"[2001:DB8:0::1]:80", nil, "2001:db8::1", "2001:db8::1"},
		"in a zone":      {"[fe80::1%eth0]:80", nil, "fe80::1", "fe80::1"},
		"IPv4 in IPv6":   {"[::ffff:192.0.2.1]:80", nil, "192.0.2.1", "192.0.2.1"},
		"no address":     {"@", nil, "", ""},
		"64 KB":          {strings.Repeat("1", 64<<10), nil, "", ""},
		"a long zone":    {"fe80::1%" + strings.Repeat("z", 64<<10), nil, "fe80::1", "fe80::1"},
		"forwarded":      {"192.0.2.1:80", []string{"198.51.100.1"}, "192.0.2.1", "198.51.100.1"},
		"through several": {
			"192.0.2.1:80", []string{"203.0.113.1, 198.51.100.2 ,198.51.100.1 "}, "192.0.2.1", "198.51.100.1",
		},
		"in two headers": {
			"192.0.2.1:80", []string{"203.0.113.1", "203.0.113.2, 198.51.100.1"}, "192.0.2.1", "198.51.100.1",
		},
		"forwarded with a port": {"192.0.2.1:80", []string{"198.51.100.1:1234"}, "192.0.2.1", "198.51.100.1"},
		"forwarded, IPv6":       {"192.0.2.1:80", []string{"203.0.113.1, [2001:db8::1]:443"}, "192.0.2.1", "2001:db8::1"},
		"forwarded nonsense":    {"192.0.2.1:80", []string{"198.51.100.1, unknown"}, "192.0.2.1", "192.0.2.1"},
		"forwarded nothing":     {"192.0.2.1:80", []string{"198.51.100.1,"}, "192.0.2.1", "192.0.2.1"},
		"an empty header":       {"192.0.2.1:80", []string{""}, "192.0.2.1", "192.0.2.1"},
		"forwarded 64 KB": {
			"192.0.2.1:80", []string{strings.Repeat("a,", 32<<10) + "198.51.100.1"}, "192.0.2.1", "198.51.100.1",
		},
		"forwarded, and no peer": {"", []string{"198.51.100.1"}, "", "198.51.100.1"},
		"forwarded, with markup": {"192.0.2.1:80", []string{"<b>198.51.100.1"}, "192.0.2.1", "192.0.2.1"},
		"forwarded, a long zone": {
			"192.0.2.1:80", []string{"fe80::1%" + strings.Repeat("z", 60<<10)}, "192.0.2.1", "fe80::1",
		},
		"forwarded, only numbers": {"192.0.2.1:80", []string{"3232235777"}, "192.0.2.1", "192.0.2.1"},
	} {
		t.Run(name, func(t *testing.T) {
			header := from(bearer(ciKey))
			header["X-Forwarded-For"] = c.forwarded
			d := newRecordings(t, plain)
			for i, step := range []struct {
				runtime     config.Runtime
				isForwarded bool
				want        string
			}{{plain, false, c.peer}, {plain, true, c.forwardedFor}, {proxy, false, c.forwardedFor}} {
				d.use(t, step.runtime)
				d.at = d.at.Add(time.Hour)
				d.Decide(
					&gate.Request{
						Method: "GET", Host: "h", Target: "/", Header: header, RemoteAddr: c.remote, IsForwarded: step.isForwarded,
					},
				)
				d.want(t, fmt.Sprint("step ", i), []string{"Account/ci from " + step.want}, nil)
				request := httptest.NewRequest(http.MethodGet, "/", nil)
				request.Header, request.RemoteAddr = header, c.remote
				want := map[bool]string{true: c.forwardedFor, false: c.peer}[step.runtime.TrustProxyHeaders]
				if d.ClientAddress(request) != want {
					t.Errorf("the client of Keywright itself comes from %q, want %q", d.ClientAddress(request), want)
				}
			}
		})
	}
}
