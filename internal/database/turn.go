package database

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// turns has the turns that goroutines of this process hold or wait for, by name.
type turns struct {
	mu    sync.Mutex
	named map[string]*turn
}

// turn is held by the goroutine that wrote to held.
type turn struct {
	held chan struct{}
	// users is how many goroutines hold the turn or wait for it.
	users int
}

// enter waits for the turn and returns a function that releases it.
func (t *turns) enter(ctx context.Context, name string) (leave func(), err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	one := t.acquire(name)
	select {
	case one.held <- struct{}{}:
		return func() { <-one.held; t.release(name, one) }, nil
	case <-ctx.Done():
		t.release(name, one)
		return nil, context.Cause(ctx)
	}
}

func (t *turns) acquire(name string) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.named[name]
	if one == nil {
		if t.named == nil {
			t.named = map[string]*turn{}
		}
		one = &turn{held: make(chan struct{}, 1)}
		t.named[name] = one
	}
	one.users++
	return one
}

func (t *turns) release(name string, one *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one.users--
	if one.users == 0 {
		delete(t.named, name)
	}
}

// errLost ends the context of a turn that another server may hold by now.
var errLost = errors.New("the connection that held the turn is gone")

// Turn runs do while no other server on this database and no other goroutine has the turn of that name. It
// waits for the turn until ctx ends. The context of do ends with ctx, or when the turn is lost together with
// the database.
func (d *DB) Turn(ctx context.Context, name string, do func(ctx context.Context) error) error {
	leave, err := d.turns.enter(ctx, name)
	if err != nil {
		return fmt.Errorf("turn of %s: %w", name, err)
	}
	defer leave()
	if err := d.Err(); err != nil {
		return fmt.Errorf("turn of %s: %w", name, unavailable(err))
	}
	var started bool
	err = d.dialect.turn(ctx, name, func(ctx context.Context) error {
		started = true
		return do(ctx)
	})
	switch {
	case err == nil, started && !errors.Is(err, errLost):
		return err
	case ctx.Err() != nil:
		// The database did not fail: another server held the turn until ctx ended.
		err = context.Cause(ctx)
	default:
		err = d.classify(ctx, "turn", err)
	}
	return fmt.Errorf("turn of %s: %w", name, err)
}
