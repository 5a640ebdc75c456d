package revokedkeys

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
)

const (
	// readEvery is how often the keys that other replicas have revoked are read, and how soon a failed write is tried
	// again.
	readEvery = time.Second
	// startEvery is how often a store that is starting is tried.
	startEvery = 50 * time.Millisecond
	// shutdownTimeout bounds the last write when the program stops.
	shutdownTimeout = 2 * time.Second
	// maxWaiting bounds the keys that wait for the store. Their objects name them again at the next start.
	maxWaiting = 100_000
)

// Index refuses revoked keys. In the server it is a *verify.Index.
type Index interface {
	// Revoke refuses keys for good. It returns those that were accepted before.
	Revoke(keys []pepper.Digest) (ended []pepper.Digest)
	IsRevoked(key *pepper.Digest) bool
}

// Publisher takes the keys that a revocation has ended.
type Publisher interface {
	Publish(keys []pepper.Digest)
}

// Config has the dependencies of a Memory.
type Config struct {
	Store Store
	Index Index
	Ended Publisher
	Now   func() time.Time
	Log   *slog.Logger
}

// Memory remembers revoked keys. It is safe for concurrent use. Run must run beside it.
type Memory struct {
	Config

	mu sync.Mutex
	// waiting has the keys that are not in the store yet.
	waiting map[pepper.Digest]struct{}
	// added receives a value after an addition to waiting.
	added chan struct{}

	// last is the number of the last row that was read. Only Run uses it.
	last int64
	// loaded is true once all rows have been read, tried once that or a failure has happened, and failing while the
	// store fails.
	loaded, tried, failing atomic.Bool
}

// New returns a Memory that knows no key yet.
func New(c Config) *Memory {
	return &Memory{Config: c, waiting: map[pepper.Digest]struct{}{}, added: make(chan struct{}, 1)}
}

// Revoke makes keys refused for good, and returns once the store has them. After an error nothing has changed.
func (m *Memory) Revoke(ctx context.Context, keys []pepper.Digest) error {
	if err := m.Store.Add(ctx, keys, m.Now()); err != nil {
		return err
	}
	m.refuse(keys)
	return nil
}

// Note makes keys refused for good that an object names as revoked. It does not wait for the store.
func (m *Memory) Note(keys []pepper.Digest) {
	var unknown []pepper.Digest
	for i := range keys {
		if !m.Index.IsRevoked(&keys[i]) {
			unknown = append(unknown, keys[i])
		}
	}
	if len(unknown) == 0 {
		return
	}
	if dropped := m.enqueue(unknown); dropped > 0 {
		m.Log.Error("Too many revoked keys wait for the database: this server refuses them until it stops",
			"dropped", dropped)
	}
	m.refuse(unknown)
}

func (m *Memory) refuse(keys []pepper.Digest) { m.Ended.Publish(m.Index.Revoke(keys)) }

func (m *Memory) enqueue(keys []pepper.Digest) (dropped int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		if len(m.waiting) >= maxWaiting {
			dropped++
			continue
		}
		m.waiting[key] = struct{}{}
	}
	select {
	case m.added <- struct{}{}:
	default:
	}
	return dropped
}

// Waiting returns the number of keys that are not in the store yet.
func (m *Memory) Waiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.waiting)
}

// Loaded reports whether the keys in the store have been read once.
func (m *Memory) Loaded() bool { return m.loaded.Load() }

var errLoading = errors.New("the revoked keys have not been read from the database yet")

// Starting returns an error until the keys in the store have been read, or could not be.
func (m *Memory) Starting() error {
	if m.tried.Load() {
		return nil
	}
	return errLoading
}

// Run reads the keys that other replicas have revoked, and writes those that wait, until ctx ends.
func (m *Memory) Run(ctx context.Context) {
	for {
		m.exchange(ctx)
		pause := readEvery
		if !m.tried.Load() {
			pause = startEvery
		}
		// After a failure, an addition does not shorten the pause.
		added := m.added
		if m.failing.Load() {
			added = nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			m.writeLast(context.WithoutCancel(ctx))
			return
		case <-timer.C:
		case <-added:
			timer.Stop()
		}
	}
}

func (m *Memory) writeLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	if err := m.write(ctx); err != nil {
		m.Log.Warn("Revoked keys were not written to the database", "keys", m.Waiting(), "error", err.Error())
	}
}

// exchange reads first: what other replicas have written need not be written again.
func (m *Memory) exchange(ctx context.Context) {
	if m.Store.Starting() != nil {
		return
	}
	err := m.read(ctx)
	if err == nil {
		m.loaded.Store(true)
		err = m.write(ctx)
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		// Another database may be in its place later, with other numbers.
		m.last = 0
	}
	m.tried.Store(true)
	switch failed := err != nil; {
	case failed && !m.failing.Swap(true):
		m.Log.Warn("Revoked keys can't be exchanged with the database: known ones are refused, later ones wait",
			"loaded", m.Loaded(), "waiting", m.Waiting(), "error", err.Error())
	case !failed && m.failing.Swap(false):
		m.Log.Info("Revoked keys are exchanged with the database again")
	}
}

// read refuses the keys that were added to the store since the last call.
func (m *Memory) read(ctx context.Context) error {
	for {
		rows, err := m.Store.After(ctx, m.last)
		if err != nil || len(rows) == 0 {
			return err
		}
		keys := make([]pepper.Digest, len(rows))
		for i := range rows {
			keys[i] = rows[i].Key
		}
		m.refuse(keys)
		m.written(keys)
		m.last = rows[len(rows)-1].Number
	}
}

// write writes the keys that wait.
func (m *Memory) write(ctx context.Context) error {
	for {
		keys := m.batch()
		if len(keys) == 0 {
			return nil
		}
		if err := m.Store.Add(ctx, keys, m.Now()); err != nil {
			return err
		}
		m.written(keys)
	}
}

func (m *Memory) batch() (keys []pepper.Digest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key := range m.waiting {
		if len(keys) == MaxBatch {
			break
		}
		keys = append(keys, key)
	}
	return keys
}

func (m *Memory) written(keys []pepper.Digest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		delete(m.waiting, key)
	}
}
