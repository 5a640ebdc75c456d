// Package revocations publishes the keys that have ended to the parts of the server that depend on keys, such as
// sessions.
package revocations

import "keywright.dev/keywright/internal/key/pepper"

// Subscriber receives the digests of keys that ended for good. It must not block, because changes of the cluster are
// processed by the same goroutine.
type Subscriber func(keys []pepper.Digest)

// Publisher passes revocations on to its subscribers. A nil Publisher has none.
type Publisher struct {
	subscribers []Subscriber
}

// New returns a Publisher for these subscribers.
func New(subscribers ...Subscriber) *Publisher { return &Publisher{subscribers} }

// Publish calls every subscriber, unless there are no keys.
func (p *Publisher) Publish(keys []pepper.Digest) {
	if p == nil || len(keys) == 0 {
		return
	}
	for _, take := range p.subscribers {
		take(keys)
	}
}
