package usage

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestFromInclusive_IsDisjoint(t *testing.T) {
	count := rapid.Int64Range(0, MaxTokens/3)
	rapid.Check(t, func(t *rapid.T) {
		want := Tokens{
			Input: count.Draw(t, "input"), Output: count.Draw(t, "output"),
			CacheRead: count.Draw(t, "read"), CacheWrite: count.Draw(t, "write"),
		}
		got, err := FromInclusive(want.Prompt(), want.Output, want.CacheRead, want.CacheWrite)
		if got != want || err != nil {
			t.Fatalf("%+v, %v, want %+v", got, err, want)
		}
	})
}

func TestFromInclusive_RefusesInconsistentCounts(t *testing.T) {
	for name, c := range map[string]struct{ input, output, read, write int64 }{
		"more read than input":          {10, 1, 11, 0},
		"more written than input":       {10, 1, 0, 11},
		"more cached together":          {10, 1, 6, 5},
		"negative input":                {-1, 0, 0, 0},
		"negative output":               {0, -1, 0, 0},
		"negative read":                 {5, 0, -1, 0},
		"negative write":                {5, 0, 6, -1},
		"too large":                     {MaxTokens + 1, 0, 0, 0},
		"a sum that would overflow":     {5, 0, math.MaxInt64, math.MaxInt64},
		"an output that would overflow": {0, math.MaxInt64, 0, 0},
	} {
		if got, err := FromInclusive(c.input, c.output, c.read, c.write); err == nil || got != (Tokens{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
