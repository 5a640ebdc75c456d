//go:build !race

package extauthz_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate/extauthz"
)

// usual is a request with the headers of most clients behind Envoy.
func usual() request {
	return get(
		"authorization", "Bearer "+ci, "user-agent", "curl/8.5.0", "accept", "*/*", "accept-encoding", "gzip",
		"x-forwarded-for", "203.0.113.9", "x-forwarded-proto", "https", "x-envoy-external-address", "203.0.113.9",
		"x-request-id", "b5c1e0f4-2f0c-4a6e-9d0e-3a4b5c6d7e8f", "content-type", "application/json", "cookie", "a=1; b=2",
	)
}

// Headers that the gate does not need cost no allocation.
func TestAnswer_Allocations(t *testing.T) {
	f := newFixture(t, config.Runtime{AllowedUsers: []string{"Account/ci"}})
	message, err := proto.Marshal(usual().check())
	must(t, err)
	const most = 17
	n := testing.AllocsPerRun(1000, func() {
		if _, err := extauthz.Answer(f.config, message); err != nil {
			t.Fatal(err)
		}
	})
	if n > most {
		t.Errorf("%v allocations, want at most %d", n, most)
	}
}

func BenchmarkAnswer(b *testing.B) {
	f := newFixture(b, config.Runtime{AllowedUsers: []string{"Account/ci"}})
	message, err := proto.Marshal(usual().check())
	must(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = extauthz.Answer(f.config, message)
	}
}
