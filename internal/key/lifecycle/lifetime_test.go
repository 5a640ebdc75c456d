package lifecycle_test

import (
	"testing"
	"time"

	"keywright.dev/keywright/internal/key/lifecycle"
)

// One rule decides for operator and server: the shortest applies, and the spec comes first among equals.
func TestBounds_ShortestApplies(t *testing.T) {
	const h = time.Hour
	instance := lifecycle.Limits{MaxTTL: 9 * h, DefaultTTL: 5 * h}
	for name, c := range map[string]struct {
		bounds lifecycle.Bounds
		ttl    time.Duration
		end    time.Time
		from   string
	}{
		"nothing":    {lifecycle.Bounds{}, 0, time.Time{}, ""},
		"a ttl":      {lifecycle.Bounds{TTL: h}, h, noon.Add(h), "spec.ttl"},
		"an instant": {lifecycle.Bounds{ExpiresAt: noon.Add(h)}, 0, noon.Add(h), "spec.expiresAt"},
		"a past instant": {
			lifecycle.Bounds{ExpiresAt: noon.Add(-h), Limits: instance}, 9 * h, noon.Add(-h), "spec.expiresAt",
		},
		"a role":      {lifecycle.Bounds{RoleTTL: h, Role: "r"}, h, noon.Add(h), "AccessRole/r"},
		"the default": {lifecycle.Bounds{Limits: instance}, 5 * h, noon.Add(5 * h), "DEFAULT_TTL"},
		"the default alone": {
			lifecycle.Bounds{Limits: lifecycle.Limits{DefaultTTL: 5 * h}}, 5 * h, noon.Add(5 * h), "DEFAULT_TTL",
		},
		"a ttl instead of the default": {lifecycle.Bounds{TTL: 7 * h, Limits: instance}, 7 * h, noon.Add(7 * h), "spec.ttl"},
		"an instant instead of the default": {
			lifecycle.Bounds{ExpiresAt: noon.Add(7 * h), Limits: instance}, 9 * h, noon.Add(7 * h), "spec.expiresAt",
		},
		"a role below the default": {
			lifecycle.Bounds{RoleTTL: h, Role: "r", Limits: instance}, h, noon.Add(h), "AccessRole/r",
		},
		"a role above the default": {
			lifecycle.Bounds{RoleTTL: 6 * h, Role: "r", Limits: instance}, 5 * h, noon.Add(5 * h), "DEFAULT_TTL",
		},
		"a ttl above the longest": {lifecycle.Bounds{TTL: 10 * h, Limits: instance}, 9 * h, noon.Add(9 * h), "MAX_TTL"},
		"an instant after the longest": {
			lifecycle.Bounds{ExpiresAt: noon.Add(10 * h), Limits: instance}, 9 * h, noon.Add(9 * h), "MAX_TTL",
		},
		"the longest, without a default": {
			lifecycle.Bounds{Limits: lifecycle.Limits{MaxTTL: h}}, h, noon.Add(h), "MAX_TTL",
		},
		"a ttl equal to the others": {
			lifecycle.Bounds{TTL: 9 * h, RoleTTL: 9 * h, Limits: instance}, 9 * h, noon.Add(9 * h), "spec.ttl",
		},
		"a role equal to the longest": {
			lifecycle.Bounds{TTL: 10 * h, RoleTTL: 9 * h, Role: "r", Limits: instance}, 9 * h, noon.Add(9 * h), "AccessRole/r",
		},
		"an instant equal to the longest": {
			lifecycle.Bounds{ExpiresAt: noon.Add(9 * h), Limits: instance}, 9 * h, noon.Add(9 * h), "spec.expiresAt",
		},
	} {
		ttl, _ := c.bounds.Lifetime()
		end, from := c.bounds.End(noon)
		if ttl != c.ttl || !end.Equal(c.end) || c.bounds.Named(from) != c.from {
			t.Errorf("%s: %s, %s from %q", name, ttl, end, c.bounds.Named(from))
		}
	}
}
