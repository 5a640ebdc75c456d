package loginthrottle

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"keywright.dev/keywright/internal/auth/username"
)

// Throttle counts failures. It is safe for concurrent use.
type Throttle struct {
	seed maphash.Seed

	mu               sync.Mutex
	users, addresses counters
}

// New makes one that has counted nothing.
func New() *Throttle {
	return &Throttle{seed: maphash.MakeSeed(), users: counters{}, addresses: counters{}}
}

// Wait is asked before each try. Either retryAfter is positive: then it is not to be made before that time is over; or it
// may be made after the delay. What becomes of it Failed or Succeeded are told; until then it counts as a failure, so that
// to try many at once gains nothing.
//
// Only the address keeps a try from being made. A name is anybody's to fail with, and must not keep its owner out.
//
// The name is anybody's word, and may be empty, as the address may where it isn't known: those are not counted.
func (t *Throttle) Wait(name, address string, now time.Time) (delay, retryAfter time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	who, counted := t.countersOf(name, address)
	for i := range counted {
		c := &counted[i]
		ofThis, after := c.in[c.of].wait(now)
		delay, c.isFull = max(delay, ofThis), after > 0
		if c.isOfAddress {
			retryAfter = after
		}
	}
	if retryAfter > 0 {
		return 0, retryAfter
	}
	for _, c := range counted {
		if !c.isFull {
			c.in.at(c.of, now).begin(who, now)
		}
	}
	return delay, 0
}

// Failed is told of a try that failed. Where retryAfter is positive it was one too many of its user: what has failed is not
// to be told, only that no other may be made before that time is over.
func (t *Throttle) Failed(name, address string, now time.Time) (retryAfter time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	who, counted := t.countersOf(name, address)
	for _, c := range counted {
		retryAfter = max(retryAfter, c.in.at(c.of, now).fail(who, now))
	}
	return retryAfter
}

// Tells says of a try with a retryAfter whether it is worth an entry: the first of its user or its address in a minute is.
// So there are no more entries than are worth reading, whoever goes on trying.
func (t *Throttle) Tells(name, address string, now time.Time) (tells bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, counted := t.countersOf(name, address)
	for _, c := range counted {
		// Each of them has been told of by that.
		if one := c.in[c.of]; one != nil && one.tells(now) {
			tells = true
		}
	}
	return tells
}

// Succeeded is told of a try that succeeded: the user's failures are forgiven, and so are those of this user at the
// address. Others' there are not, or whoever has one key could try all day for another.
func (t *Throttle) Succeeded(name, address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	who, counted := t.countersOf(name, address)
	for _, c := range counted {
		c.in.forgive(c.of, who)
	}
}

// counted is a counter, and where it is.
type counted struct {
	in counters
	of uint64
	// isOfAddress is false for a user's. isFull says that it takes no more tries now.
	isOfAddress, isFull bool
}

// countersOf returns the user's hash too: what each counter tells tries apart by.
func (t *Throttle) countersOf(name, address string) (who user, all []counted) {
	hash := t.hash(username.Fold(name))
	if name != "" {
		all = append(all, counted{in: t.users, of: hash})
	}
	if address != "" {
		all = append(all, counted{in: t.addresses, of: t.hash(network(address)), isOfAddress: true})
	}
	return user(hash), all
}

// hash is as long for every name: a megabyte takes no more memory than another.
func (t *Throttle) hash(text string) uint64 { return maphash.String(t.seed, text) }

// network is what counts of an address: whoever has one of IPv6 has 2^64 of them.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}
