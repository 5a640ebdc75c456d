package surfaces

import (
	"io/fs"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/test/fakeobjects"
)

// Configurations that differ in whose headers count.
var (
	nobody   = config.Runtime{}
	everyone = config.Runtime{TrustProxyHeaders: true}
	listed10 = config.Runtime{TrustedProxies: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48"), netip.MustParsePrefix("fe80::/10"),
	}}
	// both makes names count as well.
	both = config.Runtime{TrustProxyHeaders: true, TrustedProxies: listed10.TrustedProxies}
)

// addresses are requests, and the address that is recorded.
var addresses = map[string]struct {
	settings config.Runtime
	peer     string
	// forwardedFor are the header's lines.
	forwardedFor []string
	want         string
	// byGateway is recorded instead where the peer is a gateway, unless it is empty.
	byGateway string
}{
	"a client":            {nobody, "203.0.113.9:4711", nil, "203.0.113.9", ""},
	"without a port":      {nobody, "203.0.113.9", nil, "203.0.113.9", ""},
	"of IPv6":             {nobody, "[2001:DB8:0::9]:4711", nil, "2001:db8::9", ""},
	"in a zone":           {nobody, "[fe80::9%eth0]:4711", nil, "fe80::9", ""},
	"IPv4 in IPv6":        {nobody, "[::ffff:203.0.113.9]:4711", nil, "203.0.113.9", ""},
	"of no address":       {nobody, "@", nil, "", ""},
	"forging":             {nobody, "192.0.2.1:4711", []string{"203.0.113.66"}, "192.0.2.1", "203.0.113.66"},
	"of no address, lies": {nobody, "@", []string{"203.0.113.66"}, "", "203.0.113.66"},

	"any proxy":           {everyone, "192.0.2.1:4711", []string{"203.0.113.9"}, "203.0.113.9", ""},
	"any, no header":      {everyone, "192.0.2.1:4711", nil, "192.0.2.1", ""},
	"any, of no address":  {everyone, "@", []string{"203.0.113.9"}, "203.0.113.9", ""},
	"any, client forging": {everyone, "192.0.2.1:4711", []string{"203.0.113.66, 203.0.113.9"}, "203.0.113.9", ""},
	"any, in two lines":   {everyone, "192.0.2.1:4711", []string{"203.0.113.66", "203.0.113.9"}, "203.0.113.9", ""},
	"any, through another": {
		everyone, "10.0.0.1:4711", []string{"203.0.113.66,10.0.0.2"}, "10.0.0.2", "",
	},
	"any, nonsense":        {everyone, "192.0.2.1:4711", []string{"203.0.113.66, unknown"}, "192.0.2.1", ""},
	"any, an empty entry":  {everyone, "192.0.2.1:4711", []string{"203.0.113.66,"}, "192.0.2.1", ""},
	"any, an empty header": {everyone, "192.0.2.1:4711", []string{""}, "192.0.2.1", ""},

	"a listed proxy":           {listed10, "10.0.0.1:4711", []string{"203.0.113.9"}, "203.0.113.9", ""},
	"listed, names count":      {both, "10.0.0.1:4711", []string{"203.0.113.9"}, "203.0.113.9", ""},
	"listed, no header":        {listed10, "10.0.0.1:4711", nil, "10.0.0.1", ""},
	"listed, client forging":   {listed10, "10.0.0.1:4711", []string{"203.0.113.66, 203.0.113.9"}, "203.0.113.9", ""},
	"listed, claims a proxy's": {listed10, "10.0.0.1:4711", []string{"10.0.0.66, 203.0.113.9"}, "203.0.113.9", ""},
	"listed, of IPv6":          {listed10, "[2001:db8:1::1]:4711", []string{"2001:db8::9"}, "2001:db8::9", ""},
	"listed, in a zone":        {listed10, "[fe80::1%eth0]:4711", []string{"fe80::2%eth7, fe80::3"}, "fe80::2", ""},
	"listed, IPv4 in IPv6": {
		listed10, "[::ffff:10.0.0.1]:4711", []string{"::ffff:203.0.113.9, ::ffff:10.0.0.2"}, "203.0.113.9", "",
	},
	"listed, through others": {
		listed10, "10.0.0.1:4711", []string{"203.0.113.66,203.0.113.9 ,10.0.0.3,\t10.0.0.2"}, "203.0.113.9", "",
	},
	"listed, in several lines": {
		listed10, "10.0.0.1:4711", []string{"203.0.113.66, 203.0.113.9", "10.0.0.3", "10.0.0.2"}, "203.0.113.9", "",
	},
	"listed, itself again": {listed10, "10.0.0.1:4711", []string{"203.0.113.9, 10.0.0.1"}, "203.0.113.9", ""},
	"listed, with ports": {
		listed10, "10.0.0.1:4711", []string{"[2001:db8::9]:4711, 10.0.0.2:80"}, "2001:db8::9", "",
	},
	"listed, in brackets":     {listed10, "10.0.0.1:4711", []string{"[2001:db8::9]"}, "2001:db8::9", ""},
	"listed, only proxies":    {listed10, "10.0.0.1:4711", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3", ""},
	"listed, nonsense":        {listed10, "10.0.0.1:4711", []string{"203.0.113.66, unknown, 10.0.0.2"}, "10.0.0.2", ""},
	"listed, a hidden client": {listed10, "10.0.0.1:4711", []string{"203.0.113.66, _hidden"}, "10.0.0.1", ""},
	"listed, an empty entry":  {listed10, "10.0.0.1:4711", []string{"203.0.113.66, , 10.0.0.2"}, "10.0.0.2", ""},
	"listed, an empty end":    {listed10, "10.0.0.1:4711", []string{"203.0.113.66,"}, "10.0.0.1", ""},
	"listed, an empty line":   {listed10, "10.0.0.1:4711", []string{"203.0.113.66", ""}, "10.0.0.1", ""},
	"listed, empty":           {listed10, "10.0.0.1:4711", []string{""}, "10.0.0.1", ""},
	"listed, endless": {
		listed10, "10.0.0.1:4711", []string{"203.0.113.66" + strings.Repeat(", 10.0.0.2", 1000)}, "10.0.0.2", "",
	},
	"not listed":              {listed10, "192.0.2.1:4711", []string{"203.0.113.66"}, "192.0.2.1", ""},
	"not listed, names count": {both, "192.0.2.1:4711", []string{"203.0.113.66"}, "192.0.2.1", ""},
	"not listed, no address":  {both, "@", []string{"203.0.113.66"}, "", ""},
}

// Everything that is recorded about a request has the same address, on every surface.
func TestAddress_DecidedAlike(t *testing.T) {
	for name, c := range addresses {
		for _, r := range reporters {
			p := newPlace(t, c.settings)
			header := http.Header{"Authorization": {"Bearer " + fakeobjects.AliceKey}}
			if c.forwardedFor != nil {
				header[gate.ForwardedFor] = c.forwardedFor
			}
			r.report(t, p, sender{c.peer, header})
			want := c.want
			if r.isGateway && c.byGateway != "" {
				want = c.byGateway
			}
			if got := p.addresses(); !slices.Equal(got, []string{want}) {
				t.Errorf("%s, %s: recorded %q, want %q", name, r.name, got, want)
			}
		}
	}
}

// A name in X-Forwarded-User counts by the peer alone: X-Forwarded-For says nothing about who sent the name.
func TestName_TrustedAlike(t *testing.T) {
	for name, c := range map[string]struct {
		settings config.Runtime
		peer     string
		want     bool
	}{
		"no setting":           {nobody, "10.0.0.1:4711", false},
		"addresses only":       {listed10, "10.0.0.1:4711", false},
		"names of everyone":    {everyone, "192.0.2.1:4711", true},
		"without an address":   {everyone, "@", true},
		"of a listed proxy":    {both, "10.0.0.1:4711", true},
		"listed, IPv6":         {both, "[2001:db8:1::1]:4711", true},
		"listed, IPv4 in IPv6": {both, "[::ffff:10.0.0.1]:4711", true},
		"not listed":           {both, "192.0.2.1:4711", false},
		"listed, no address":   {both, "@", false},
	} {
		for _, r := range reporters {
			if !r.takesNames {
				continue
			}
			for _, forwardedFor := range []string{"203.0.113.9", "10.0.0.2", "unknown"} {
				p := newPlace(t, c.settings)
				r.report(t, p, sender{c.peer, http.Header{
					"X-Forwarded-User": {"sam"}, gate.ForwardedFor: {forwardedFor},
				}})
				if got := slices.Contains(p.names, "sam"); got != c.want {
					t.Errorf("%s, %s: accepted: %t", name, r.name, got)
				}
			}
		}
	}
}

// TRUSTED_PROXIES takes effect with the next request.
func TestAddress_FollowsSettings(t *testing.T) {
	for _, r := range reporters {
		p := newPlace(t, nobody)
		for _, c := range []struct {
			settings config.Runtime
			want     string
		}{{listed10, "203.0.113.9"}, {config.Runtime{TrustedProxies: listed10.TrustedProxies[1:]}, "10.0.0.1"}} {
			p.Configure(t, c.settings)
			p.forget()
			r.report(t, p, sender{"10.0.0.1:4711", http.Header{
				"Authorization": {"Bearer " + fakeobjects.AliceKey}, gate.ForwardedFor: {"203.0.113.9"},
			}})
			if got := p.addresses(); !slices.Equal(got, []string{c.want}) {
				t.Errorf("%s: recorded %q, want %q", r.name, got, c.want)
			}
		}
	}
}

// mentions are the files that may read the address of a peer, or a header with an address. Each surface hands both to
// the gate, which alone decides. A new surface belongs here and in reporters.
var mentions = map[string]string{
	"cmd/server/tls.go":                      "logs the peer that has no certificate",
	"internal/gate/address.go":               "decides",
	"internal/gate/header.go":                "lists the headers",
	"internal/gate/request.go":               "describes what surfaces hand over",
	"internal/gate/forwardauth/path.go":      "a surface",
	"internal/gate/forwardauth/request.go":   "a surface",
	"internal/gate/extauthz/request.go":      "a surface",
	"internal/gate/reverseproxy/proxy.go":    "a surface",
	"internal/gate/reverseproxy/exchange.go": "describes the client to the app",
	"internal/gate/reverseproxy/header.go":   "describes the client to the app",
	"internal/config/runtime.go":             "explains a setting",
	"internal/config/descriptions.go":        "describes settings",
}

var addressWord = regexp.MustCompile(`\bRemoteAddr\b|\bForwardedFor\b|\bRealIP\b|(?i)x-forwarded-for|x-real-ip`)

func TestAddress_ReadInOnePlace(t *testing.T) {
	found := map[string]bool{}
	for _, folder := range []string{"internal", "cmd"} {
		root := os.DirFS(filepath.Join("..", ".."))
		must(t, fs.WalkDir(root, folder, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := fs.ReadFile(root, path)
			if err == nil && addressWord.Match(source) {
				found[path] = true
			}
			return err
		}))
	}
	if got, want := slices.Sorted(maps.Keys(found)), slices.Sorted(maps.Keys(mentions)); !slices.Equal(got, want) {
		t.Errorf("addresses are read in\n%s\nand not only in\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
