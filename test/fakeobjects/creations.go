package fakeobjects

import (
	"context"
	"sync"
	"time"

	"keywright.dev/keywright/internal/manage/idempotency/creation"
)

// Creations is a store of creations with an idempotency key in memory. It does not bound them.
type Creations struct {
	// Fail returns the error of a call by name: Made or Keep. Nil: no call fails.
	Fail func(call string) error
	// BeforeKeep is called before a creation is recorded. It may be nil.
	BeforeKeep func()

	mu   sync.Mutex
	made map[creation.Digest]createdOnce
}

type createdOnce struct {
	id string
	at time.Time
}

var _ creation.Store = &Creations{}

// Made returns the id of a creation.
func (c *Creations) Made(_ context.Context, key creation.Digest, after time.Time) (string, error) {
	if c.Fail != nil {
		if err := c.Fail("Made"); err != nil {
			return "", err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if found, is := c.made[key]; is && found.at.After(after) {
		return found.id, nil
	}
	return "", nil
}

// Keep records a creation.
func (c *Creations) Keep(
	_ context.Context, key creation.Digest, id string, at, after time.Time,
) (string, error) {
	if c.BeforeKeep != nil {
		c.BeforeKeep()
	}
	if c.Fail != nil {
		if err := c.Fail("Keep"); err != nil {
			return "", err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if found, is := c.made[key]; is && found.at.After(after) {
		return found.id, nil
	}
	if c.made == nil {
		c.made = map[creation.Digest]createdOnce{}
	}
	c.made[key] = createdOnce{id, at}
	return id, nil
}
