package usage

import (
	"errors"
	"fmt"
)

// errCached is the error of a call that read and wrote more cached tokens than its whole input has.
var errCached = errors.New("the cached tokens exceed the input tokens that include them")

// FromInclusive returns the counts of a call whose reporter includes the cached tokens in input, as OpenAI and
// OpenTelemetry do. The result is disjoint. Reasoning is left out: it is a part of output in both.
func FromInclusive(input, output, cacheRead, cacheWrite int64) (Tokens, error) {
	for _, c := range []struct {
		name  string
		count int64
	}{
		{"input tokens", input}, {"output tokens", output},
		{"cache read tokens", cacheRead}, {"cache write tokens", cacheWrite},
	} {
		if c.count < 0 || c.count > MaxTokens {
			return Tokens{}, fmt.Errorf("%s: %d is not from 0 to %d", c.name, c.count, int64(MaxTokens))
		}
	}
	if cacheRead+cacheWrite > input {
		return Tokens{}, errCached
	}
	return Tokens{Input: input - cacheRead - cacheWrite, Output: output, CacheRead: cacheRead, CacheWrite: cacheWrite}, nil
}

// Prompt returns the size of the whole prompt, cached or not.
func (t Tokens) Prompt() int64 { return t.Input + t.CacheRead + t.CacheWrite }
