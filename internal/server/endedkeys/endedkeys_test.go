package endedkeys_test

import (
	"testing"

	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/server/endedkeys"
)

func TestPublisher_CallsEverySubscriber(t *testing.T) {
	var first, second int
	p := endedkeys.New(
		func(keys []pepper.Digest) { first += len(keys) }, func(keys []pepper.Digest) { second += len(keys) },
	)
	p.Publish(make([]pepper.Digest, 2))
	if first != 2 || second != 2 {
		t.Errorf("%d and %d keys, want 2 each", first, second)
	}
}

func TestPublisher_IgnoresEmptyAndNil(t *testing.T) {
	endedkeys.New(func([]pepper.Digest) { t.Error("called without keys") }).Publish(nil)
	(*endedkeys.Publisher)(nil).Publish(make([]pepper.Digest, 1))
}
