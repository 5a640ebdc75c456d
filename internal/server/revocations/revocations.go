// Package revocations carries the keys that ended from where the server sees that to what depends on them, such
// as sessions.
package revocations

import "keywright.dev/keywright/internal/key/pepper"

// Subscriber takes the digests of keys that ended for good. It must not block: the server sees nothing else meanwhile.
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
