package loginthrottle

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"keywright.dev/keywright/internal/auth/username"
)

// Throttle counts failed logins. It is safe for concurrent use.
type Throttle struct {
	seed maphash.Seed

	mu               sync.Mutex
	users, addresses counters
}

// New returns a Throttle without failures.
func New() *Throttle {
	return &Throttle{seed: maphash.MakeSeed(), users: counters{}, addresses: counters{}}
}

// Begin has to be called before each try. If retryAfter is positive, the try must not be made until then;
// otherwise it may be made after delay. Until Failed or Succeeded reports the result, the try counts as a
// failure, so concurrent tries have no advantage.
//
// Only the address can prevent a try. Anyone can fail with any name, and that must not lock out its owner.
//
// The name is unverified. An empty name or address is not counted.
func (t *Throttle) Begin(name, address string, now time.Time) (delay, retryAfter time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	who, counted := t.countersOf(name, address)
	for i := range counted {
		c := &counted[i]
		itsDelay, after := c.in[c.hash].wait(now)
		delay, c.isFull = max(delay, itsDelay), after > 0
		if c.isAddress {
			retryAfter = after
		}
	}
	if retryAfter > 0 {
		return 0, retryAfter
	}
	for _, c := range counted {
		if !c.isFull {
			c.in.at(c.hash, now).begin(who, now)
		}
	}
	return delay, 0
}

// Failed reports a failed try. If retryAfter is positive, the user has too many failures: the reply must not
// reveal that the key was wrong, only when the next try is allowed.
func (t *Throttle) Failed(name, address string, now time.Time) (retryAfter time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	who, counted := t.countersOf(name, address)
	for _, c := range counted {
		retryAfter = max(retryAfter, c.in.at(c.hash, now).fail(who, now))
	}
	return retryAfter
}

// ShouldAudit reports whether a refused try deserves an audit entry: the first of its user or its address in a
// minute does. This bounds the entries of an attack.
func (t *Throttle) ShouldAudit(name, address string, now time.Time) (should bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, counted := t.countersOf(name, address)
	for _, c := range counted {
		// No early return: the entry counts for the user and for the address.
		if one := c.in[c.hash]; one != nil && one.shouldAudit(now) {
			should = true
		}
	}
	return should
}

// Succeeded reports a successful try. It clears the user's failures, and at the address only those of this
// user: otherwise the owner of one key could guess another key all day.
func (t *Throttle) Succeeded(name, address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	who, counted := t.countersOf(name, address)
	for _, c := range counted {
		c.in.clear(c.hash, who)
	}
}

// counterRef refers to a counter, which may not exist yet.
type counterRef struct {
	in   counters
	hash uint64
	// isAddress is false for the counter of a user. isFull means that the counter takes no more tries now.
	isAddress, isFull bool
}

// countersOf also returns the user tag by which each counter distinguishes its tries.
func (t *Throttle) countersOf(name, address string) (who user, all []counterRef) {
	hash := t.hash(username.Fold(name))
	if name != "" {
		all = append(all, counterRef{in: t.users, hash: hash})
	}
	if address != "" {
		all = append(all, counterRef{in: t.addresses, hash: t.hash(network(address)), isAddress: true})
	}
	return user(hash), all
}

// hash keeps counters small: a name of a megabyte takes as much memory as any other.
func (t *Throttle) hash(text string) uint64 { return maphash.String(t.seed, text) }

// network returns the part of an address that counts. An IPv6 client usually has a whole /64.
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
