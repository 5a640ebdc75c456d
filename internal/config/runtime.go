package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/key/keyformat"
)

// RuntimeKey is the key of ConfigMap keywright-runtime that holds the document.
const RuntimeKey = "runtime.json"

// Runtime is what the server runs with. It holds no secret. Its zero value is an instance where nothing is configured.
type Runtime struct {
	// BootstrapDigest is the digest of the bootstrap key, as status records one. Empty: there is no such key.
	BootstrapDigest string `json:"bootstrapDigest,omitempty"`
	// KeyPrefix begins every generated key. Empty: key.DefaultPrefix.
	KeyPrefix string `json:"keyPrefix,omitempty"`
	// AllowedUsers may write, as may admins: usernames, or subjects such as Account/ci, in lower case. Empty: anybody may.
	AllowedUsers []string `json:"allowedUsers,omitempty"`
	// InsecureCookies are cookies that are sent without TLS too.
	InsecureCookies bool `json:"insecureCookies,omitempty"`
	// TrustProxyHeaders believes X-Forwarded-User.
	TrustProxyHeaders bool `json:"trustProxyHeaders,omitempty"`
	// TrustUsernames believes the saved name in cookie keywright_user.
	TrustUsernames bool `json:"trustUsernames,omitempty"`
	// AnonymousReads lets nobody in particular read.
	AnonymousReads bool `json:"anonymousReads,omitempty"`
	// Routes say what a request needs.
	Routes []routes.Route `json:"routes,omitempty"`
	// DenyUnmatched refuses what no route matches.
	DenyUnmatched bool `json:"denyUnmatched,omitempty"`
	// Account is the name of the instance's own account. Empty: DefaultAccount.
	Account string `json:"account,omitempty"`
	// Prices are what AI models cost.
	Prices []Price `json:"prices,omitempty"`
	// StaleAfter is the age of the view of the cluster from which everything is refused. 0: never.
	StaleAfter time.Duration `json:"staleAfter,omitempty"`
}

// DefaultAccount is the name of the instance's own account where nothing is said.
const DefaultAccount = "default"

// Price is what one model costs, in US dollars for a million tokens.
type Price struct {
	// Provider limits the price to models of one provider. Empty: any.
	Provider string  `json:"provider,omitempty"`
	Model    string  `json:"model"`
	Input    float64 `json:"input"`
	Output   float64 `json:"output"`
	// CacheRead and CacheWrite are those of cached input. Nil: the price of Input.
	CacheRead  *float64 `json:"cacheRead,omitempty"`
	CacheWrite *float64 `json:"cacheWrite,omitempty"`
}

// Format is the form of the instance's generated keys.
func (r *Runtime) Format() keyformat.Format {
	return keyformat.Format{Prefix: cmp.Or(r.KeyPrefix, keyformat.DefaultPrefix)}
}

// Encode writes the document. The same settings give the same bytes. Prices have to be finite.
func (r Runtime) Encode() string {
	var document strings.Builder
	encoder := json.NewEncoder(&document)
	// Nobody reads the document as HTML: a pattern stays as it was written.
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		panic("a struct of plain values can't fail to be marshalled: " + err.Error())
	}
	return strings.TrimSuffix(document.String(), "\n")
}

// Revision names a document: those that say the same have the same.
func Revision(document string) string {
	sum := sha256.Sum256([]byte(document))
	return hex.EncodeToString(sum[:6])
}

// ParseRuntime reads the document. A field it does not know is from a newer operator and is passed over. What no operator
// writes is an error: nothing at all, a prefix that no key may have, or an age under 0.
func ParseRuntime(document string) (Runtime, error) {
	var r *Runtime
	err := json.Unmarshal([]byte(document), &r)
	switch {
	case err != nil:
		return Runtime{}, fmt.Errorf("the runtime document can't be read: %w", err)
	case r == nil:
		return Runtime{}, errors.New("the runtime document says nothing")
	case !keyformat.IsPrefix(r.Format().Prefix):
		return Runtime{}, errors.New("the runtime document has a keyPrefix that no key may have")
	case r.StaleAfter < 0:
		return Runtime{}, errors.New("the runtime document has a staleAfter under 0")
	}
	return *r, nil
}
