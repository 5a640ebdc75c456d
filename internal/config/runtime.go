package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/config/prices"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
)

// RuntimeKey is the key of the document in ConfigMap keywright-runtime.
const RuntimeKey = "runtime.json"

// Runtime is the configuration of the server. It has no secrets. The zero value is the default configuration.
type Runtime struct {
	// BootstrapDigest is the digest of the bootstrap key. Empty: there is no such key.
	BootstrapDigest string `json:"bootstrapDigest,omitempty"`
	// FormerBootstrapDigests are the digests of the last bootstrap keys before the present one, the latest first. No
	// object may have one of these keys.
	FormerBootstrapDigests []string `json:"formerBootstrapDigests,omitempty"`
	// KeyPrefix begins every generated key. Empty: keyformat.DefaultPrefix.
	KeyPrefix string `json:"keyPrefix,omitempty"`
	// AllowedUsers is the allow list: usernames, or subjects such as Account/ci, in lower case. Empty: every
	// user may write.
	AllowedUsers []string `json:"allowedUsers,omitempty"`
	// InsecureCookies omits the Secure attribute of cookies.
	InsecureCookies bool `json:"insecureCookies,omitempty"`
	// TrustProxyHeaders accepts X-Forwarded-User: of everyone, or of TrustedProxies if there are any.
	TrustProxyHeaders bool `json:"trustProxyHeaders,omitempty"`
	// TrustedProxies are the networks of the proxies whose X-Forwarded-For is accepted. They are sorted.
	TrustedProxies []netip.Prefix `json:"trustedProxies,omitempty"`
	// TrustUsernames accepts the saved name in cookie keywright_user.
	TrustUsernames bool `json:"trustUsernames,omitempty"`
	// AnonymousReads allows anonymous callers to read.
	AnonymousReads bool `json:"anonymousReads,omitempty"`
	// Credentials are the names of the forms in which a request to an app may present a key. Empty: credential.Compatible.
	Credentials []string `json:"credentials,omitempty"`
	// Routes are the entries of ROUTES.
	Routes []routes.Route `json:"routes,omitempty"`
	// DenyUnmatched refuses requests that no route matches.
	DenyUnmatched bool `json:"denyUnmatched,omitempty"`
	// Account is the name of the instance's own account. Empty: DefaultAccount.
	Account string `json:"account,omitempty"`
	// Prices are the prices of AI models.
	Prices []prices.Price `json:"prices,omitempty"`
	// StaleAfter is the age of the view from which every request is refused. 0: never.
	StaleAfter time.Duration `json:"staleAfter,omitempty"`
	// MaxTTL and DefaultTTL are those of all APIKeys. 0: none.
	MaxTTL     time.Duration `json:"maxTTL,omitempty"`
	DefaultTTL time.Duration `json:"defaultTTL,omitempty"`
	// Audit bounds the audit trail.
	Audit Audit `json:"audit,omitzero"`
	// Usage bounds token usage.
	Usage Usage `json:"usage,omitzero"`
}

// maxFormerBootstrap bounds FormerBootstrapDigests.
const maxFormerBootstrap = 16

// SucceedBootstrap sets FormerBootstrapDigests: those of the configuration before, and its bootstrap key unless it is
// the present one.
func (r *Runtime) SucceedBootstrap(before *Runtime) {
	former := slices.Concat([]string{before.BootstrapDigest}, before.FormerBootstrapDigests)
	former = slices.DeleteFunc(former, func(digest string) bool {
		// Only another client can have written one that is not valid.
		_, err := pepper.ParseDigest(digest)
		return err != nil || digest == r.BootstrapDigest
	})
	r.FormerBootstrapDigests = nil
	for _, digest := range former {
		if len(r.FormerBootstrapDigests) < maxFormerBootstrap && !slices.Contains(r.FormerBootstrapDigests, digest) {
			r.FormerBootstrapDigests = append(r.FormerBootstrapDigests, digest)
		}
	}
}

// IsBootstrap reports whether the digest is that of the present or a former bootstrap key.
func (r *Runtime) IsBootstrap(digest string) bool {
	return digest != "" && digest == r.BootstrapDigest || slices.Contains(r.FormerBootstrapDigests, digest)
}

// DefaultAccount is the name of the instance's own account unless ACCOUNT sets another.
const DefaultAccount = "default"

// Format returns the format of generated keys.
func (r *Runtime) Format() keyformat.Format {
	return keyformat.Format{Prefix: cmp.Or(r.KeyPrefix, keyformat.DefaultPrefix)}
}

// Limits returns the bounds of the lifetime of APIKeys.
func (r *Runtime) Limits() lifecycle.Limits {
	return lifecycle.Limits{MaxTTL: r.MaxTTL, DefaultTTL: r.DefaultTTL}
}

// Encode returns the document. Equal configurations give equal documents.
func (r Runtime) Encode() string {
	var document strings.Builder
	encoder := json.NewEncoder(&document)
	// The document is not HTML, and patterns stay readable.
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		panic("marshalling a struct of plain values failed: " + err.Error())
	}
	return strings.TrimSuffix(document.String(), "\n")
}

// Revision returns a short hash of a document.
func Revision(document string) string {
	sum := sha256.Sum256([]byte(document))
	return hex.EncodeToString(sum[:6])
}

// ParseRuntime reads the document. It ignores unknown fields, which newer operators may write. It refuses
// documents that no operator writes: an empty one, an invalid prefix, an empty network, or a negative age.
func ParseRuntime(document string) (Runtime, error) {
	var r *Runtime
	err := json.Unmarshal([]byte(document), &r)
	switch {
	case err != nil:
		return Runtime{}, fmt.Errorf("the runtime document can't be read: %w", err)
	case r == nil:
		return Runtime{}, errors.New("the runtime document is empty")
	case !keyformat.IsPrefix(r.Format().Prefix):
		return Runtime{}, errors.New("the runtime document has an invalid keyPrefix")
	case slices.ContainsFunc(r.TrustedProxies, func(p netip.Prefix) bool { return !p.IsValid() }):
		return Runtime{}, errors.New("the runtime document has an empty network in trustedProxies")
	case r.StaleAfter < 0:
		return Runtime{}, errors.New("the runtime document has a negative staleAfter")
	case r.MaxTTL < 0, r.DefaultTTL < 0:
		return Runtime{}, errors.New("the runtime document has a negative lifetime of keys")
	case r.Audit.MaxEntries < 0:
		return Runtime{}, errors.New("the runtime document has a negative number of audit entries")
	case r.Usage.MaxRecords < 0, r.Usage.RollupRetention < 0:
		return Runtime{}, errors.New("the runtime document has a negative bound of token usage")
	}
	return *r, nil
}
