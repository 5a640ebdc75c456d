package username_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/auth/username"
)

func TestClaim_BeforeIsATotalOrder(t *testing.T) {
	claim := rapid.Custom(func(t *rapid.T) username.Claim {
		return username.Claim{
			HoldsKeys: rapid.Bool().Draw(t, "holds"),
			Created:   time.Unix(int64(rapid.IntRange(0, 3).Draw(t, "created")), 0),
			UID:       rapid.StringMatching(`[ab]{1,2}`).Draw(t, "uid"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		claims := rapid.SliceOfNDistinct(claim, 2, 6, func(c username.Claim) string { return c.UID }).Draw(t, "claims")
		order := func(a, b username.Claim) int {
			if a.Before(b) == b.Before(a) {
				t.Fatalf("%v and %v: neither or both win", a, b)
			}
			if a.Before(b) {
				return -1
			}
			return 1
		}
		winner := slices.MinFunc(claims, order)
		slices.Reverse(claims)
		if slices.MinFunc(claims, order) != winner {
			t.Fatal("the winner depends on the order")
		}
	})
}

func TestClaim_HoldingKeysWinsOverAge(t *testing.T) {
	older := username.Claim{Created: time.Unix(1, 0), UID: "a"}
	holder := username.Claim{HoldsKeys: true, Created: time.Unix(2, 0), UID: "b"}
	if !holder.Before(older) || older.Before(holder) {
		t.Fatal("an older object without keys takes a name that is in use")
	}
}
