package sessions

import (
	"sync"
	"time"
)

const (
	// mostKnown bounds the sessions in memory, and mostNone the secrets that are known to be nobody's.
	mostKnown, mostNone = 10_000, 10_000
	// noneFor is how long a secret is nobody's without another look. It would be for ever, for nobody has a secret before it
	// is stored; but a store may be put back to what it was.
	noneFor = time.Minute
	// deafFor is how long a session is believed in while nobody tells what other replicas end.
	deafFor = time.Second
	// unsureFor is how long it is when the store can't be asked either, from when nothing was missed yet.
	unsureFor = time.Minute
)

// known are the sessions that this replica has heard of, and what was asked for that is none. Those who ask for a session
// that is known wait for each other a moment, and for nobody else.
type known struct {
	mu       sync.Mutex
	sessions map[ID]held
	none     map[ID]time.Time
	// changes counts what ended: what was asked for before may be over when the answer comes.
	changes uint64
	// isDeaf is so while ends through other replicas may be missed. Else none was since hearing.
	isDeaf  bool
	hearing time.Time
}

// held is a session as the store had it at the time asked. Sessions are not changed: others take their place.
type held struct {
	*Session
	asked time.Time
	// sure is when hearing ended that had told of its end until then. Zero: it never did, or does yet.
	sure time.Time
}

// known is when it was a session for sure, where that is over.
func (h *held) known() time.Time {
	if h.sure.After(h.asked) {
		return h.sure
	}
	return h.asked
}

func newKnown() *known {
	return &known{sessions: map[ID]held{}, none: map[ID]time.Time{}, isDeaf: true}
}

// get returns nil where there is no session. Where it isn't sure, the store has to be asked, and what it returns is what
// counts when that fails.
func (k *known) get(id ID, now time.Time) (session *Session, isSure bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, found := k.sessions[id]
	switch {
	case !found:
		asked, isNone := k.none[id]
		return nil, isNone && now.Sub(asked) < noneFor
	case !now.Before(h.Expires):
		return nil, false // it may have been renewed elsewhere
	}
	isSure = k.isFresh(h.asked, now)
	if !isSure && now.Sub(h.known()) >= unsureFor {
		return nil, false
	}
	return h.Session, isSure
}

func (k *known) isFresh(asked, now time.Time) bool {
	if k.isDeaf {
		return now.Sub(asked) < deafFor
	}
	return asked.After(k.hearing)
}

// changesNow is to be asked for before the store is.
func (k *known) changesNow() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.changes
}

// put takes what the store had at the time asked, when so much had changed, and returns what counts: nothing where it is
// known by now that there is no such session. Where any has ended meanwhile it is not kept, for it may be that one.
func (k *known) put(s *Session, asked time.Time, changes uint64) *Session {
	k.mu.Lock()
	defer k.mu.Unlock()
	if since, isNone := k.none[s.ID]; isNone && !since.Before(asked) {
		return nil
	}
	if changes != k.changes {
		return s
	}
	delete(k.none, s.ID)
	if _, found := k.sessions[s.ID]; !found {
		makeRoom(k.sessions, mostKnown, func(h held) bool { return !asked.Before(h.Expires) })
	}
	k.sessions[s.ID] = held{Session: s, asked: asked}
	return s
}

// renew moves the end of a session, unless it is over, and says whether it did.
func (k *known) renew(s *Session, expires time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, found := k.sessions[s.ID]
	if !found {
		return false
	}
	next := *h.Session
	next.Expires = expires
	h.Session = &next
	k.sessions[s.ID] = h
	return true
}

func (k *known) putNone(id ID, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.sessions, id)
	k.setNone(id, now)
}

func (k *known) setNone(id ID, now time.Time) {
	if _, found := k.none[id]; !found {
		makeRoom(k.none, mostNone, func(asked time.Time) bool { return now.Sub(asked) >= noneFor })
	}
	k.none[id] = now
}

// end drops the sessions that something covers, and says that something has ended.
func (k *known) end(covers func(*Session) bool, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changes++
	for id, h := range k.sessions {
		if covers(h.Session) {
			delete(k.sessions, id)
			k.setNone(id, now)
		}
	}
}

// endOne is end for one session, known or not.
func (k *known) endOne(id ID, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changes++
	delete(k.sessions, id)
	k.setNone(id, now)
}

// hear says from when on all ends through other replicas are heard of, or that they are not.
func (k *known) hear(isDeaf bool, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if isDeaf && !k.isDeaf {
		k.wasSure(now)
	}
	k.isDeaf, k.hearing = isDeaf, now
	k.changes++
}

// wasSure keeps in mind of what no end was missed until now.
func (k *known) wasSure(now time.Time) {
	for id, h := range k.sessions {
		if k.isFresh(h.asked, now) {
			h.sure = now
			k.sessions[id] = h
		}
	}
}

// makeRoom takes out what is over, where there is no room for one more, and then anything until a tenth is free: so a look
// at all of them makes room for many.
func makeRoom[V any](m map[ID]V, most int, isOver func(V) bool) {
	if len(m) < most {
		return
	}
	for id, v := range m {
		if isOver(v) {
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
