package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Settings of ConfigMap keywright-config.
const (
	// KeyAdminKey is the bootstrap key in plaintext.
	KeyAdminKey = "ADMIN_KEY"
	// KeyAdminKeySecret names the Secret of the bootstrap key: <name of a Secret>/<key in it>.
	KeyAdminKeySecret = "ADMIN_KEY_SECRET"
	// KeyAllowedUsers is the allow list.
	KeyAllowedUsers = "ALLOWED_USERS"

	keyAccount           = "ACCOUNT"
	keyAnonymousReads    = "ANONYMOUS_READS"
	keyAuditMaxEntries   = "AUDIT_MAX_ENTRIES"
	keyAuditRetention    = "AUDIT_RETENTION"
	keyCredentials       = "CREDENTIALS"
	keyDefaultTTL        = "DEFAULT_TTL"
	keyKeyPrefix         = "KEY_PREFIX"
	keyMaxTTL            = "MAX_TTL"
	keyPrices            = "PRICES"
	keyRoutes            = "ROUTES"
	keySecureCookies     = "SECURE_COOKIES"
	keyStaleAfter        = "STALE_AFTER"
	keyTrustProxyHeaders = "TRUST_PROXY_HEADERS"
	keyTrustedProxies    = "TRUSTED_PROXIES"
	keyTrustUsernames    = "TRUST_USERNAMES"
	keyUnmatched         = "UNMATCHED"

	keyUsageMaxRecords      = "USAGE_MAX_RECORDS"
	keyUsageRetention       = "USAGE_RETENTION"
	keyUsageRollupRetention = "USAGE_ROLLUP_RETENTION"
)

// Settings is the checked content of keywright-config.
type Settings struct {
	// AdminKey is the bootstrap key. Empty: none, or the one in AdminKeySecret.
	AdminKey string
	// AdminKeySecret has the bootstrap key, if it is not nil.
	AdminKeySecret *SecretRef
	// Listed are the entries of ALLOWED_USERS as written.
	Listed []Listed
	// Service has all other settings in the form that the server runs. It lacks the digest of the bootstrap
	// key, which method Runtime adds.
	Service Runtime
}

// SecretRef names one entry of a Secret in the system namespace.
type SecretRef struct {
	Name string
	Key  string
}

func (r SecretRef) String() string { return r.Name + "/" + r.Key }

// Runtime returns what the server runs with: the settings and the digest of the bootstrap key, which is empty
// if there is no such key.
func (s *Settings) Runtime(bootstrapDigest string) Runtime {
	r := s.Service
	r.BootstrapDigest = bootstrapDigest
	return r
}

// CheckAdminKey returns the problem of a bootstrap key, or "". The server applies the same rules to every
// presented key.
func (s *Settings) CheckAdminKey(value string) string {
	if err := s.Service.Format().Check(value); err != nil {
		return err.Error()
	}
	return ""
}

// parser reads one value into the settings, or returns its problem: the rest of a sentence that begins with
// the name of the setting. A problem never repeats a value, which may be a key in the wrong place.
type parser func(s *Settings, value string) (problem string)

// Bounds of a value in bytes. They keep the document within the 1 MiB of a ConfigMap.
const (
	short   = 1 << 10
	long    = 64 << 10
	longer  = 128 << 10
	longest = 256 << 10
)

// settings has every setting.
var settings = map[string]struct {
	parse parser
	most  int
}{
	KeyAdminKey:          {trimmed(parseAdminKey), short},
	KeyAdminKeySecret:    {trimmed(parseAdminKeySecret), short},
	keyAccount:           {trimmed(parseAccount), short},
	KeyAllowedUsers:      {parseAllowedUsers, long},
	keyAnonymousReads:    {trimmed(flag(func(r *Runtime, on bool) { r.AnonymousReads = on })), short},
	keyAuditMaxEntries:   {trimmed(parseAuditMaxEntries), short},
	keyAuditRetention:    {trimmed(parseAuditRetention), short},
	keyCredentials:       {parseCredentials, short},
	keyDefaultTTL:        {trimmed(ttl(func(r *Runtime) *time.Duration { return &r.DefaultTTL })), short},
	keyKeyPrefix:         {trimmed(parseKeyPrefix), short},
	keyMaxTTL:            {trimmed(ttl(func(r *Runtime) *time.Duration { return &r.MaxTTL })), short},
	keyPrices:            {parsePrices, longer},
	keyRoutes:            {parseRoutes, longest},
	keySecureCookies:     {trimmed(flag(func(r *Runtime, on bool) { r.InsecureCookies = !on })), short},
	keyStaleAfter:        {trimmed(parseStaleAfter), short},
	keyTrustProxyHeaders: {trimmed(flag(func(r *Runtime, on bool) { r.TrustProxyHeaders = on })), short},
	keyTrustedProxies:    {parseTrustedProxies, long},
	keyTrustUsernames:    {trimmed(flag(func(r *Runtime, on bool) { r.TrustUsernames = on })), short},
	keyUnmatched:         {trimmed(parseUnmatched), short},

	keyUsageMaxRecords:      {trimmed(parseUsageMaxRecords), short},
	keyUsageRetention:       {trimmed(parseUsageRetention), short},
	keyUsageRollupRetention: {trimmed(parseUsageRollupRetention), short},
}

// Parse reads the data of keywright-config. If there are faults, the settings must not be used.
func Parse(data map[string]string) (Settings, []Fault) {
	var s Settings
	var faults []Fault
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if problem := s.set(name, data[name]); problem != "" {
			faults = append(faults, Fault{name, problem})
		}
	}
	if problem := s.checkBootstrap(); problem != "" {
		faults = append(faults, Fault{KeyAdminKey, problem})
	}
	if problem := s.checkTTLs(); problem != "" {
		faults = append(faults, Fault{keyDefaultTTL, problem})
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return cmp.Compare(a.Key, b.Key) })
	return s, faults
}

func (s *Settings) set(name, value string) (problem string) {
	setting, ok := settings[name]
	switch {
	case !ok && isSetting(spelled(name)):
		return "is not a setting: write " + spelled(name)
	case !ok:
		return "is not a setting; the settings are " + strings.Join(slices.Sorted(maps.Keys(settings)), ", ")
	case len(value) > setting.most:
		return fmt.Sprintf("is longer than %d bytes", setting.most)
	case !utf8.ValidString(value):
		return "is not UTF-8"
	}
	return setting.parse(s, unquote(value))
}

func isSetting(name string) bool {
	_, ok := settings[name]
	return ok
}

// spelled returns a name in the spelling of settings.
func spelled(name string) string {
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
}

// checkBootstrap runs last, because the format of a key depends on KEY_PREFIX.
func (s *Settings) checkBootstrap() (problem string) {
	switch {
	case s.AdminKey == "":
		return ""
	case s.AdminKeySecret != nil:
		return "can't be set together with " + KeyAdminKeySecret
	}
	return s.CheckAdminKey(s.AdminKey)
}
