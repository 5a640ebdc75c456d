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

// Begin has to be called before each try, which may be made after the delay. Until Failed or Succeeded reports the
// result, the try counts as a failure, so concurrent tries have no advantage.
//
// No number of failures prevents a try: anyone can fail with any name, and from an address that many share. Neither
// must lock out the holder of the right key.
//
// The name is unverified. An empty name or address is not counted.
func (t *Throttle) Begin(name, address string, now time.Time) (delay time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	who, counted := t.countersOf(name, address)
	for _, c := range counted {
		itsDelay, retryAfter := c.in[c.hash].wait(now)
		delay = max(delay, itsDelay)
		if retryAfter == 0 {
			c.in.at(c.hash, now).begin(who, now)
		}
	}
	return delay
}

// Failed reports a failed try. If retryAfter is positive, the user or the address has too many failures, and the try is
// to be refused for that reason, until the next one is allowed.
func (t *Throttle) Failed(name, address string, now time.Time) (retryAfter time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	who, counted := t.countersOf(name, address)
	for _, c := range counted {
		retryAfter = max(retryAfter, c.in.at(c.hash, now).fail(who, now))
	}
	return retryAfter
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
}

// countersOf also returns the user tag by which each counter distinguishes its tries.
func (t *Throttle) countersOf(name, address string) (who user, all []counterRef) {
	hash := t.hash(username.Fold(name))
	if name != "" {
		all = append(all, counterRef{t.users, hash})
	}
	if address != "" {
		all = append(all, counterRef{t.addresses, t.hash(Network(address))})
	}
	return user(hash), all
}

// hash keeps counters small: a name of a megabyte takes as much memory as any other.
func (t *Throttle) hash(text string) uint64 { return maphash.String(t.seed, text) }

// Network returns the part of an address that counts. An IPv6 client usually has a whole /64.
func Network(address string) string {
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
