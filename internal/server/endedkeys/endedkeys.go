// Package endedkeys passes the digests of keys that ended from the watch that sees the end to what depends on the
// keys, such as sessions.
package endedkeys

import "keywright.dev/keywright/internal/key/pepper"

// Subscriber takes the digests of keys that ended for good. It must not block: the watch waits for it.
type Subscriber func(keys []pepper.Digest)

// Publisher passes ended keys on to its subscribers. A nil Publisher has none.
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
