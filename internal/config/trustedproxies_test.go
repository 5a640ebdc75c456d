package config_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/config"
)

func TestTrustedProxies_ReadsAddressesAndNetworks(t *testing.T) {
	for value, want := range map[string]string{
		"":                               "",
		" , ,":                           "",
		"192.0.2.1":                      "192.0.2.1/32",
		" 10.0.0.0/8 ,, 192.0.2.1,":      "10.0.0.0/8 192.0.2.1/32",
		"192.0.2.1, 10.0.0.0/8":          "10.0.0.0/8 192.0.2.1/32",
		"10.0.0.0/8\n, 10.0.0.0/16":      "10.0.0.0/8 10.0.0.0/16",
		"192.0.2.1,192.0.2.1/32":         "192.0.2.1/32",
		`"192.0.2.1", '2001:db8::/32'`:   "192.0.2.1/32 2001:db8::/32",
		"2001:DB8:0:0::1":                "2001:db8::1/128",
		"fe80::/10":                      "fe80::/10",
		"::ffff:192.0.2.1":               "192.0.2.1/32",
		"::ffff:10.0.0.0/104":            "10.0.0.0/8",
		"::1, 127.0.0.1, 2001:db8::/129": "entry 3 is neither an address nor a network such as 10.0.0.0/8",
		"192.0.2.1:80":                   "entry 1 is neither an address nor a network such as 10.0.0.0/8",
		"[2001:db8::1]":                  "entry 1 is neither an address nor a network such as 10.0.0.0/8",
		"fe80::1%eth0":                   "entry 1 is neither an address nor a network such as 10.0.0.0/8",
		"fe80::%eth0/64":                 "entry 1 is neither an address nor a network such as 10.0.0.0/8",
		"10.0.0.0/33":                    "entry 1 is neither an address nor a network such as 10.0.0.0/8",
		"10.0.0.0/08":                    "entry 1 is neither an address nor a network such as 10.0.0.0/8",
		"10.0.0/8":                       "entry 1 is neither an address nor a network such as 10.0.0.0/8",
		"010.0.0.1":                      "entry 1 is neither an address nor a network such as 10.0.0.0/8",
		"10.0.0.1-10.0.0.9":              "entry 1 is neither an address nor a network such as 10.0.0.0/8",
		"unix:":                          "entry 1 is neither an address nor a network such as 10.0.0.0/8",
		"*":                              "entry 1 is neither an address nor a network such as 10.0.0.0/8",
		"ingress.example.com":            "entry 1 is neither an address nor a network such as 10.0.0.0/8",
		"10.0.0.0/8;192.0.2.1":           "entry 1 is neither an address nor a network such as 10.0.0.0/8",
		"10.0.0.0/8\n192.0.2.1":          "entry 1 has a space or a line end: entries are separated by commas",
		"- 10.0.0.0/8":                   "entry 1 has a space or a line end: entries are separated by commas",
		"192.0.2.1, 10.0.0.5/8":          "entry 2 is an address with the length of a network: write 10.0.0.0/8",
		"::ffff:10.0.0.5/104":            "entry 1 is an address with the length of a network: write 10.0.0.0/8",
		"0.0.0.0/0":                      "entry 1 has every address in it: name the proxies",
		"10.0.0.0/8,::/0":                "entry 2 has every address in it: name the proxies",
		"::ffff:0.0.0.0/96":              "entry 1 has every address in it: name the proxies",
		"192.0.2.1, " + generatedKey:     "entry 2 is an API key, which does not belong here: rotate it",
	} {
		if strings.HasPrefix(want, "entry ") {
			if got := problemOf(t, "TRUSTED_PROXIES", value); got != want {
				t.Errorf("%q: %s, want %s", value, got, want)
			}
			continue
		}
		var networks []netip.Prefix
		for _, network := range strings.Fields(want) {
			networks = append(networks, netip.MustParsePrefix(network))
		}
		wanted := config.Runtime{TrustedProxies: networks}
		if got := runtimeOf(t, "TRUSTED_PROXIES", value); !reflect.DeepEqual(got, wanted) {
			t.Errorf("%q: %v, want %v", value, got.TrustedProxies, networks)
		}
	}
}

// proxies returns a list of n networks.
func proxies(n int) string {
	var list strings.Builder
	for i := range n {
		_, _ = fmt.Fprintf(&list, "2001:db8:%x::/48,", i)
	}
	return list.String()
}

func TestTrustedProxies_HasMaximum(t *testing.T) {
	if got := runtimeOf(t, "TRUSTED_PROXIES", proxies(256)+proxies(256)); len(got.TrustedProxies) != 256 {
		t.Errorf("%d networks", len(got.TrustedProxies))
	}
	if got := problemOf(t, "TRUSTED_PROXIES", proxies(257)); got != "has 257 networks; the maximum is 256" {
		t.Error(got)
	}
}
