package config

import (
	"fmt"
	"slices"
	"strings"

	"keywright.dev/keywright/internal/auth/credential"
)

// changes has a function for each setting, in the order of their descriptions. Each function returns the
// description of a change, or "" if the setting has not changed.
var changes = []func(before, after *Runtime) string{
	func(before, after *Runtime) string {
		return when(before.BootstrapDigest != after.BootstrapDigest, "the bootstrap key"+noneIf(after.BootstrapDigest == ""))
	},
	func(before, after *Runtime) string {
		return when(
			!slices.Equal(before.AllowedUsers, after.AllowedUsers),
			KeyAllowedUsers+count(len(after.AllowedUsers), "name"),
		)
	},
	func(before, after *Runtime) string {
		return onOff(keySecureCookies, !before.InsecureCookies, !after.InsecureCookies)
	},
	func(before, after *Runtime) string {
		return onOff(keyTrustProxyHeaders, before.TrustProxyHeaders, after.TrustProxyHeaders)
	},
	func(before, after *Runtime) string {
		return when(
			!slices.Equal(before.TrustedProxies, after.TrustedProxies),
			keyTrustedProxies+count(len(after.TrustedProxies), "network"),
		)
	},
	func(before, after *Runtime) string {
		return onOff(keyTrustUsernames, before.TrustUsernames, after.TrustUsernames)
	},
	func(before, after *Runtime) string {
		return onOff(keyAnonymousReads, before.AnonymousReads, after.AnonymousReads)
	},
	func(before, after *Runtime) string {
		forms, _ := credential.ParseForms(after.Credentials)
		names := strings.Join(forms.Names(), ", ")
		return when(!slices.Equal(before.Credentials, after.Credentials), keyCredentials+" ("+names+")")
	},
	func(before, after *Runtime) string {
		return when(!slices.Equal(before.Routes, after.Routes), keyRoutes+count(len(after.Routes), "route"))
	},
	func(before, after *Runtime) string {
		value := map[bool]string{false: "allow", true: "deny"}[after.DenyUnmatched]
		return when(before.DenyUnmatched != after.DenyUnmatched, keyUnmatched+"="+value)
	},
	func(before, after *Runtime) string {
		// The value is left out: a key is a valid name of an account.
		return when(before.Account != after.Account, keyAccount)
	},
	func(before, after *Runtime) string {
		return when(before.Format() != after.Format(), keyKeyPrefix+"="+after.Format().Prefix)
	},
	func(before, after *Runtime) string {
		return when(!slices.Equal(before.Prices, after.Prices), keyPrices+count(len(after.Prices), "price"))
	},
	func(before, after *Runtime) string {
		return when(before.StaleAfter != after.StaleAfter, fmt.Sprintf("%s=%v", keyStaleAfter, after.StaleAfter))
	},
	func(before, after *Runtime) string {
		return when(before.MaxTTL != after.MaxTTL, fmt.Sprintf("%s=%v", keyMaxTTL, after.MaxTTL))
	},
	func(before, after *Runtime) string {
		return when(before.DefaultTTL != after.DefaultTTL, fmt.Sprintf("%s=%v", keyDefaultTTL, after.DefaultTTL))
	},
	func(before, after *Runtime) string {
		was, _ := before.Audit.Limits()
		is, _ := after.Audit.Limits()
		return when(was != is, fmt.Sprintf("%s=%v", keyAuditRetention, is))
	},
	func(before, after *Runtime) string {
		_, was := before.Audit.Limits()
		_, is := after.Audit.Limits()
		return when(was != is, fmt.Sprintf("%s=%d", keyAuditMaxEntries, is))
	},
	func(before, after *Runtime) string {
		was, _ := before.Usage.Limits()
		is, _ := after.Usage.Limits()
		return when(was != is, fmt.Sprintf("%s=%v", keyUsageRetention, is))
	},
	func(before, after *Runtime) string {
		_, was := before.Usage.Limits()
		_, is := after.Usage.Limits()
		return when(was != is, fmt.Sprintf("%s=%d", keyUsageMaxRecords, is))
	},
	func(before, after *Runtime) string {
		was, is := before.Usage.RollupRetention, after.Usage.RollupRetention
		return when(was != is, fmt.Sprintf("%s=%v", keyUsageRollupRetention, is))
	},
}

// Changes describes the differences for people, for example ALLOWED_USERS (3 names), SECURE_COOKIES=false,
// the bootstrap key. It never contains a key, a digest or a name.
func Changes(before, after Runtime) []string {
	var described []string
	for _, change := range changes {
		if text := change(&before, &after); text != "" {
			described = append(described, text)
		}
	}
	return described
}

func when(differs bool, text string) string {
	if !differs {
		return ""
	}
	return text
}

func onOff(name string, before, after bool) string {
	return when(before != after, fmt.Sprintf("%s=%t", name, after))
}

// count returns " (3 names)", " (1 name)" or " (none)".
func count(n int, what string) string {
	switch n {
	case 0:
		return noneIf(true)
	case 1:
		return fmt.Sprintf(" (1 %s)", what)
	}
	return fmt.Sprintf(" (%d %ss)", n, what)
}

func noneIf(none bool) string { return when(none, " (none)") }
