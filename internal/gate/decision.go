package gate

import (
	"time"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
)

// Outcome is what becomes of a request.
type Outcome uint8

// The zero Outcome refuses, so that nothing passes because somebody forgot to say.
const (
	// Unauthenticated: nobody who may be known sent it.
	Unauthenticated Outcome = iota
	// Allowed is the one Outcome that lets a request pass.
	Allowed
	// NotListed: a write by somebody who is not on the allow list.
	NotListed
	// NotPermitted: the caller may not do what the route needs.
	NotPermitted
	// NotOwner: the route is another user's.
	NotOwner
	// Unmatched: no route matches, and what none matches is refused.
	Unmatched
	// Ambiguous: it can't be told which request it is.
	Ambiguous
	// NotReady: not all keys have been seen yet.
	NotReady
	// Stale: the view of the cluster is older than allowed.
	Stale

	outcomes
)

var outcomeNames = [outcomes]string{
	Unauthenticated: "unauthenticated",
	Allowed:         "allowed",
	NotListed:       "not_listed",
	NotPermitted:    "not_permitted",
	NotOwner:        "not_owner",
	Unmatched:       "unmatched",
	Ambiguous:       "ambiguous",
	NotReady:        "not_ready",
	Stale:           "stale",
}

// String is the outcome in snake_case, as logs and metrics have it.
func (o Outcome) String() string { return outcomeNames[o] }

// Outcomes lists every outcome.
func Outcomes() []Outcome {
	all := make([]Outcome, outcomes)
	for i := range all {
		all[i] = Outcome(i)
	}
	return all
}

// By is how a caller was known.
type By uint8

// Ways to be known, in the order of COMPAT A.
const (
	// ByNothing: the caller is nobody.
	ByNothing By = iota
	// BySession is a session cookie.
	BySession
	// ByKey is a key, the bootstrap key included.
	ByKey
	// ByProxy is what a trusted proxy says.
	ByProxy
	// BySavedName is a claim that nobody has proven.
	BySavedName
	// ByClaim is the same where such claims count for nothing but who is shown: it holds no right at all.
	ByClaim
)

// String is how, in snake_case.
func (b By) String() string {
	return [...]string{"nothing", "session", "key", "proxy", "saved_name", "claim"}[b]
}

// Caller is who sent a request. The zero Caller is nobody.
type Caller struct {
	By By
	// Username is empty for subjects that are no users.
	Username string
	// Subject is <kind>/<name>: User/alice.
	Subject string
	// Admin is true for an admin's own key or session, and for the bootstrap key.
	Admin bool
	// KeyID is the id of the key, as in status. Empty where there is none.
	KeyID string
	// Scopes are those that the key was given and may use on every resource.
	Scopes []string

	verdict verify.Verdict
}

// HasKey says that the caller has presented a key, or a session that was begun with one.
func (c *Caller) HasKey() bool { return c.By == BySession || c.By == ByKey }

// Digest is that of the caller's key, to begin a session with. It is nil where there is none, and where another key has
// taken its place: an old key in its overlap carries no session.
func (c *Caller) Digest() *pepper.Digest {
	if !c.HasKey() || !c.verdict.Current() {
		return nil
	}
	return c.verdict.Digest()
}

// Ends is the instant from which the caller's key is refused as things are now, and zero when there is none.
func (c *Caller) Ends() time.Time { return c.verdict.Ends() }

// Decision is the answer to a request.
type Decision struct {
	Outcome Outcome
	Caller  Caller
	// Presented says that a key was presented, good or bad.
	Presented bool
	// verdict is on the key that was presented, or Empty.
	verdict verify.Reason
	// SetCookie is a Set-Cookie header for the caller's browser. Empty: none.
	SetCookie string
}

// Proven is the decision where keys are managed: whoever is known by no more than a name that they saved is nobody there.
func (d Decision) Proven() Decision {
	if d.Outcome == Allowed && (d.Caller.By == BySavedName || d.Caller.By == ByClaim) {
		return Decision{Presented: d.Presented, verdict: d.verdict}
	}
	return d
}
