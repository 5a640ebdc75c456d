package lifecycle

import "time"

// Limits is what an instance sets for all of its APIKeys: MAX_TTL and DEFAULT_TTL. A zero field sets nothing.
type Limits struct {
	// MaxTTL is the longest lifetime of a key, counted from its issue, whatever its spec and its roles say.
	MaxTTL time.Duration
	// DefaultTTL is the ttl of a key whose spec sets neither expiresAt nor ttl.
	DefaultTTL time.Duration
}

// Bounds is everything that bounds the life of the keys of an APIKey. Operator and server decide by its methods.
type Bounds struct {
	// ExpiresAt and TTL are those of the spec. Zero: none.
	ExpiresAt time.Time
	TTL       time.Duration
	// RoleTTL is the shortest maxTTL of the roles, and Role the name of its role. 0: no role sets one.
	RoleTTL time.Duration
	Role    string
	Limits
}

// Source is what a lifetime or an end comes from.
type Source uint8

// Sources.
const (
	// FromNothing: there is no end.
	FromNothing Source = iota
	FromExpiresAt
	FromTTL
	FromRole
	FromMaxTTL
	FromDefaultTTL
)

// FromInstance reports whether a setting of the instance is the source.
func (s Source) FromInstance() bool { return s == FromMaxTTL || s == FromDefaultTTL }

// Named returns the name of the source as status and replies have it, and "" for FromNothing.
func (b *Bounds) Named(s Source) string {
	if s == FromRole {
		return "AccessRole/" + b.Role
	}
	return [...]string{
		FromNothing: "", FromExpiresAt: "spec.expiresAt", FromTTL: "spec.ttl", FromMaxTTL: "MAX_TTL",
		FromDefaultTTL: "DEFAULT_TTL",
	}[s]
}

// Lifetime returns how long after its issue a key ends, apart from ExpiresAt: the shortest of what applies. Of equal
// ones, the spec comes first, then the roles. 0: nothing sets a lifetime.
func (b *Bounds) Lifetime() (time.Duration, Source) {
	ttl, from := b.TTL, FromTTL
	if ttl == 0 && b.ExpiresAt.IsZero() {
		ttl, from = b.DefaultTTL, FromDefaultTTL
	}
	if limits(b.RoleTTL, ttl) {
		ttl, from = b.RoleTTL, FromRole
	}
	if limits(b.MaxTTL, ttl) {
		ttl, from = b.MaxTTL, FromMaxTTL
	}
	if ttl == 0 {
		from = FromNothing
	}
	return ttl, from
}

// limits reports whether a limit is shorter than a lifetime. A limit of 0 limits nothing, and a lifetime of 0 does not
// end.
func limits(limit, ttl time.Duration) bool { return limit > 0 && (ttl == 0 || limit < ttl) }

// End returns the instant from which a key issued at that time is refused, or zero.
func (b *Bounds) End(issued time.Time) (time.Time, Source) {
	ttl, from := b.Lifetime()
	end := EndOf(issued, b.ExpiresAt, ttl)
	if !b.ExpiresAt.IsZero() && end.Equal(b.ExpiresAt) {
		from = FromExpiresAt
	}
	return end, from
}
