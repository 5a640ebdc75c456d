package sessions

import (
	"sync"
	"time"
)

const (
	maxCached, maxNegative = 10_000, 10_000
	// negativeFor is how long an id counts as unknown without asking the store again. Ids never become valid
	// later, but a store may be restored from a backup.
	negativeFor = time.Minute
	// validWithoutNotices is how long a cached session is valid while revocations from other replicas may be
	// missed.
	validWithoutNotices = time.Second
	// validWithoutStore applies instead while the store is unavailable too, counted from the instant at which the
	// session was last known to be valid.
	validWithoutStore = time.Minute
)

// cache has the sessions that this replica has seen in the store, and ids that the store does not have.
type cache struct {
	mu       sync.Mutex
	sessions map[ID]cached
	// negative has the unknown ids, and when the store was asked.
	negative map[ID]time.Time
	// generation counts revocations: a session that the store returned before one may have ended since.
	generation uint64
	// noticesLost is true while revocations from other replicas may be missed. Otherwise none was missed since
	// subscribedAt.
	noticesLost  bool
	subscribedAt time.Time
}

// cached is a session as the store had it at askedAt. Sessions are never changed in place.
type cached struct {
	*Session
	askedAt time.Time
	// confirmedUntil is when revocation notices stopped that would have included this session. Zero if that never
	// happened.
	confirmedUntil time.Time
}

// lastConfirmed returns when the session was last known to be valid, for a session that is no longer fresh.
func (c *cached) lastConfirmed() time.Time {
	if c.confirmedUntil.After(c.askedAt) {
		return c.confirmedUntil
	}
	return c.askedAt
}

func newCache() *cache {
	return &cache{sessions: map[ID]cached{}, negative: map[ID]time.Time{}, noticesLost: true}
}

// get returns nil if there is no session. If the result is not certain, the caller has to ask the store, and
// uses the result only if the store is unavailable.
func (c *cache) get(id ID, now time.Time) (session *Session, isCertain bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one, found := c.sessions[id]
	switch {
	case !found:
		askedAt, isNegative := c.negative[id]
		return nil, isNegative && now.Sub(askedAt) < negativeFor
	case !now.Before(one.Expires):
		return nil, false // another replica may have renewed it
	}
	isCertain = c.isFresh(one.askedAt, now)
	if !isCertain && now.Sub(one.lastConfirmed()) >= validWithoutStore {
		return nil, false
	}
	return one.Session, isCertain
}

func (c *cache) isFresh(askedAt, now time.Time) bool {
	if c.noticesLost {
		return now.Sub(askedAt) < validWithoutNotices
	}
	return askedAt.After(c.subscribedAt)
}

// currentGeneration returns the argument for put. Call it before the store is asked.
func (c *cache) currentGeneration() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.generation
}

// put caches a session that the store had at askedAt, given the generation of that time. It returns nil if the
// session has since been found to be unknown. If any session was revoked since, put does not cache this one, which
// may be the revoked one.
func (c *cache) put(s *Session, askedAt time.Time, generation uint64) *Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	if since, isNegative := c.negative[s.ID]; isNegative && !since.Before(askedAt) {
		return nil
	}
	if generation != c.generation {
		return s
	}
	delete(c.negative, s.ID)
	if _, found := c.sessions[s.ID]; !found {
		makeRoom(c.sessions, maxCached, func(one cached) bool { return !askedAt.Before(one.Expires) })
	}
	c.sessions[s.ID] = cached{Session: s, askedAt: askedAt}
	return s
}

// renew sets the expiry of a cached session, and reports whether the session is still cached.
func (c *cache) renew(s *Session, expires time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	one, found := c.sessions[s.ID]
	if !found {
		return false
	}
	next := *one.Session
	next.Expires = expires
	one.Session = &next
	c.sessions[s.ID] = one
	return true
}

func (c *cache) putNegative(id ID, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sessions, id)
	c.setNegative(id, now)
}

func (c *cache) setNegative(id ID, now time.Time) {
	if _, found := c.negative[id]; !found {
		makeRoom(c.negative, maxNegative, func(askedAt time.Time) bool { return now.Sub(askedAt) >= negativeFor })
	}
	c.negative[id] = now
}

// evict records that a session has ended, whether or not it is cached.
func (c *cache) evict(id ID, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	delete(c.sessions, id)
	c.setNegative(id, now)
}

// evictWhere records that the sessions that meet a condition have ended.
func (c *cache) evictWhere(covers func(*Session) bool, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	for id, one := range c.sessions {
		if covers(one.Session) {
			delete(c.sessions, id)
			c.setNegative(id, now)
		}
	}
}

// setNotices records whether revocations from other replicas may be missed from now on.
func (c *cache) setNotices(lost bool, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if lost && !c.noticesLost {
		c.confirmFresh(now)
	}
	c.noticesLost, c.subscribedAt = lost, now
	c.generation++
}

func (c *cache) confirmFresh(now time.Time) {
	for id, one := range c.sessions {
		if c.isFresh(one.askedAt, now) {
			one.confirmedUntil = now
			c.sessions[id] = one
		}
	}
}

// makeRoom removes outdated entries from a full map, and then any entries until a tenth is free, so that a full
// scan is rare.
func makeRoom[V any](m map[ID]V, most int, isOutdated func(V) bool) {
	if len(m) < most {
		return
	}
	for id, v := range m {
		if isOutdated(v) {
			delete(m, id)
		}
	}
	for id := range m {
		if len(m) <= most/10*9 {
			return
		}
		delete(m, id)
	}
}
