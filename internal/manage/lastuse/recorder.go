package lastuse

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/auth/verify"
)

// Use is the last use of an object's keys.
type Use struct {
	// UID is the object's uid.
	UID string
	// KeyID is the id of the used key, as in status.
	KeyID string
	At    time.Time
	// From is the client's address, empty if unknown.
	From string
}

// Latest returns the later of the coarse time in an object's status and the exact use in the database. The coarse time
// comes without an address.
func Latest(coarse time.Time, exact Use) Use {
	if coarse.After(exact.At) {
		return Use{UID: exact.UID, At: coarse}
	}
	return exact
}

// Store has the last use of each object, and its uses by address and day.
type Store interface {
	// SaveUses takes up to BatchSize uses, at most one of each object. A use that is older than the stored one
	// changes nothing.
	SaveUses(ctx context.Context, uses []Use) error
	// LastUses returns the stored uses of some objects, by UID.
	LastUses(ctx context.Context, uids []string) (map[string]Use, error)
	// SaveAddressUses takes up to BatchSize uses, at most one of each object, day and address.
	SaveAddressUses(ctx context.Context, uses []AddressUse) error
	// AddressUses returns the stored uses of an object, the latest day first, then the latest use.
	AddressUses(ctx context.Context, uid string) ([]AddressUse, error)
}

// BatchSize is the largest number of uses that a Store is given at once.
const BatchSize = 500

// Status writes status.lastUsedTime of key objects.
type Status interface {
	// SetLastUsed does nothing if the object is gone or its name belongs to another object now.
	SetLastUsed(ctx context.Context, id verify.ID, uid string, at time.Time) error
}

// Config has the dependencies of a Recorder.
type Config struct {
	Store  Store
	Status Status
	// LastRecorded returns the last use in the status of an object, as this server sees it.
	LastRecorded func(id verify.ID) time.Time
	Log          *slog.Logger
	Registry     prometheus.Registerer
}

// Recorder records uses. It is safe for concurrent use.
type Recorder struct {
	Config
	// exact and addresses wait for the Store, coarse for the status.
	exact, coarse             *useQueue
	addresses                 *addressQueue
	dropped, droppedAddresses prometheus.Counter
}

// New returns a recorder and registers its metrics.
func New(c Config) *Recorder {
	dropped := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "keywright_uses_dropped_total",
		Help: "Uses of keys that were not recorded because too many waited to be.",
	})
	droppedAddresses := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "keywright_address_uses_dropped_total",
		Help: "Uses of keys that were not recorded by address and day because too many waited to be.",
	})
	c.Registry.MustRegister(dropped, droppedAddresses)
	return &Recorder{
		Config: c, exact: newUseQueue(maxExact), coarse: newUseQueue(maxCoarse),
		addresses: newAddressQueue(maxAddressUses), dropped: dropped, droppedAddresses: droppedAddresses,
	}
}

// Record takes a use and does not block. If too many wait to be written, it drops the one that waits longest.
func (r *Recorder) Record(u verify.Use) {
	r.dropped.Add(float64(r.exact.add(u)))
	r.droppedAddresses.Add(float64(r.addresses.add(addressUseOf(&u))))
	r.coarse.offer(u)
}

// Interval returns how often the uses of one object should be recorded. It is longer while many uses wait, so
// that frequent uses of some objects do not delay those of others.
func (r *Recorder) Interval() time.Duration {
	if r.exact.waiting.Load() > busyQueue {
		return busyInterval
	}
	return usualInterval
}

// Run writes uses until ctx ends, and then tries to save what is left.
func (r *Recorder) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { r.writeExact(ctx) })
	running.Go(func() { r.writeCoarse(ctx) })
	running.Wait()
}
