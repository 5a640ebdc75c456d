package database

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// turns are taken one after the other in this process, by name.
type turns struct {
	mu    sync.Mutex
	named map[string]*turn
}

// turn is held by whoever could write to it.
type turn struct {
	held chan struct{}
	// wanted is how many have it or wait for it.
	wanted int
}

// enter waits for the turn, and returns how to give it back.
func (t *turns) enter(ctx context.Context, name string) (leave func(), err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	one := t.want(name)
	select {
	case one.held <- struct{}{}:
		return func() { <-one.held; t.done(name, one) }, nil
	case <-ctx.Done():
		t.done(name, one)
		return nil, context.Cause(ctx)
	}
}

func (t *turns) want(name string) *turn {
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
	one.wanted++
	return one
}

func (t *turns) done(name string, one *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one.wanted--
	if one.wanted == 0 {
		delete(t.named, name)
	}
}

// errLost ends the context of a turn that somebody else may have by now.
var errLost = errors.New("the connection that held the turn is gone")

// Turn runs do while no other server on this database, and nobody else in this one, has the turn of that name. It waits
// for it until ctx ends. The context of do ends with ctx, and when the turn is lost together with the database.
func (d *DB) Turn(ctx context.Context, name string, do func(ctx context.Context) error) error {
	leave, err := d.turns.enter(ctx, name)
	if err != nil {
		return fmt.Errorf("turn of %s: %w", name, err)
	}
	defer leave()
	if why := d.Err(); why != nil {
		return fmt.Errorf("turn of %s: %w", name, unavailable(why))
	}
	var begun bool
	err = d.dialect.turn(ctx, name, func(ctx context.Context) error {
		begun = true
		return do(ctx)
	})
	switch {
	case err == nil, begun && !errors.Is(err, errLost):
		return err
	case ctx.Err() != nil:
		// Somebody has it for long, which says nothing of the database.
		err = context.Cause(ctx)
	default:
		err = d.judge(ctx, "turn", err)
	}
	return fmt.Errorf("turn of %s: %w", name, err)
}
