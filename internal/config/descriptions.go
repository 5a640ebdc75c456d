package config

import "strconv"

// Description is what docs/settings.md has on a setting, in plain text.
type Description struct {
	// Values are what the setting takes, Default what an absent one means, and Meaning what it is for.
	Values, Default, Meaning string
}

// descriptions has every setting, in the order of docs/settings.md. value returns a value that sets what a
// configuration has, or "" for the default. It is nil for a setting whose value servers do not know.
var descriptions = []struct {
	name  string
	value func(*Runtime) string
	Description
}{
	{
		KeyAdminKeySecret, nil,
		Description{
			Values:  "<name of a Secret>/<key in it>",
			Default: "none",
			Meaning: "Where the bootstrap key is, in the same namespace.",
		},
	},
	{
		KeyAdminKey, nil,
		Description{
			Values:  "a key",
			Default: "none",
			Meaning: "The bootstrap key itself. It works, with a Warning event: everyone with access to ConfigMaps can " +
				"read it.",
		},
	},
	{
		KeyAllowedUsers, allowedUsers,
		Description{
			Values:  "names, separated by commas",
			Default: "everyone",
			Meaning: "Who may write.",
		},
	},
	{
		keySecureCookies, func(r *Runtime) string { return given(r.InsecureCookies, false, not) },
		Description{
			Values:  "true or false",
			Default: "true",
			Meaning: "false sends cookies without TLS: for a service that is only reached by plain HTTP.",
		},
	},
	{
		keyTrustProxyHeaders, func(r *Runtime) string { return given(r.TrustProxyHeaders, false, strconv.FormatBool) },
		Description{
			Values:  "true or false",
			Default: "false",
			Meaning: "Take the caller from header X-Forwarded-User. Only if nothing but your proxy reaches the service, or " +
				"TRUSTED_PROXIES lists the proxy, and it sets or removes the header on every request.",
		},
	},
	{
		keyTrustedProxies, trustedProxies,
		Description{
			Values:  "addresses and networks, separated by commas",
			Default: "none",
			Meaning: "The proxies whose X-Forwarded-For says where a request comes from.",
		},
	},
	{
		keyTrustUsernames, func(r *Runtime) string { return given(r.TrustUsernames, false, strconv.FormatBool) },
		Description{
			Values:  "true or false",
			Default: "false",
			Meaning: "Take the caller from the saved name. Users choose that name freely: only for a network in which you " +
				"trust everyone. It does not allow managing keys.",
		},
	},
	{
		keyAnonymousReads, func(r *Runtime) string { return given(r.AnonymousReads, false, strconv.FormatBool) },
		Description{
			Values:  "true or false",
			Default: "false",
			Meaning: "Anonymous callers may read; writing needs a caller.",
		},
	},
	{
		keyCredentials, credentials,
		Description{
			Values:  "forms, separated by commas",
			Default: "Authorization: Bearer, Authorization: Basic, X-API-Key",
			Meaning: "In which forms a request to an app may present a key.",
		},
	},
	{
		keyRoutes, routeList,
		Description{
			Values:  "a list in YAML",
			Default: "none",
			Meaning: "What a request requires, and who owns it.",
		},
	},
	{
		keyUnmatched, func(r *Runtime) string { return given(r.DenyUnmatched, false, func(bool) string { return "deny" }) },
		Description{
			Values:  "allow or deny",
			Default: "allow",
			Meaning: "What happens to a request that no route matches: it requires identity and the allow list only, or is " +
				"refused, for admins too.",
		},
	},
	{
		keyAccount, account,
		Description{
			Values:  "1-63 letters, digits, ., _, -, a letter or digit first",
			Default: "default",
			Meaning: "The instance's own account: the subject of tokens of the GraphQL API.",
		},
	},
	{
		keyKeyPrefix, keyPrefix,
		Description{
			Values:  "2-8 lower-case letters and digits, a letter first and _ last",
			Default: "ak_",
			Meaning: "How generated keys begin.",
		},
	},
	{
		keyMaxTTL, func(r *Runtime) string { return given(r.MaxTTL, 0, duration) },
		Description{
			Values:  "a duration of at least 1m, such as 2160h",
			Default: "0",
			Meaning: "The longest life of an APIKey, counted from the issue of each key, whatever its spec and its roles say. " +
				"It ends older keys at once. 0: none.",
		},
	},
	{
		keyDefaultTTL, func(r *Runtime) string { return given(r.DefaultTTL, 0, duration) },
		Description{
			Values:  "a duration of at least 1m, such as 720h",
			Default: "0",
			Meaning: "The life of an APIKey that sets neither expiresAt nor ttl. It ends older keys without an end at " +
				"once. 0: none.",
		},
	},
	{
		keyPrices, priceList,
		Description{
			Values:  "a list in YAML, or JSON",
			Default: "none",
			Meaning: "Prices of AI models, for token usage that arrives without a cost.",
		},
	},
	{
		keyStaleAfter, func(r *Runtime) string { return given(r.StaleAfter, 0, duration) },
		Description{
			Values:  "a duration of at least 5s, such as 30s or 5m",
			Default: "0",
			Meaning: "Answer every request with 503 while the view of the cluster is older than that: no revocation is " +
				"missed for longer. 0: never; the last view stays in use.",
		},
	},
	{
		keyAuditRetention, auditRetention,
		Description{
			Values:  "a duration of at least 24h, such as 2160h",
			Default: "9600h",
			Meaning: "How long an entry of the audit trail stays. 0: as long as there are no more than AUDIT_MAX_ENTRIES.",
		},
	},
	{
		keyAuditMaxEntries, auditMaxEntries,
		Description{
			Values:  "1000-100000000",
			Default: "300000",
			Meaning: "How many entries the audit trail may have. The oldest are removed first.",
		},
	},
	{
		keyUsageRetention, usageRetention,
		Description{
			Values:  "a duration of at least 24h, such as 720h",
			Default: "2160h",
			Meaning: "How long a record of token usage stays, counted from its receipt. 0: as long as there are no more " +
				"than USAGE_MAX_RECORDS.",
		},
	},
	{
		keyUsageMaxRecords, usageMaxRecords,
		Description{
			Values:  "1000-100000000",
			Default: "1000000",
			Meaning: "How many records of token usage there may be. The oldest are removed first.",
		},
	},
	{
		keyUsageRollupRetention, func(r *Runtime) string { return given(r.Usage.RollupRetention, 0, duration) },
		Description{
			Values:  "a duration of at least 24h, such as 17520h",
			Default: "0",
			Meaning: "How long the sums of token usage stay. 0: for good.",
		},
	},
}
