package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
)

func TestSessionCatchUp_RunsOnceWhenViewAndDatabaseAreThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var isCurrent, isBack atomic.Bool
		var tries atomic.Int32
		c := sessionCatchUp{viewIsCurrent: isCurrent.Load, reconcile: func(
			context.Context, func(*pepper.Digest) (bool, bool),
		) error {
			tries.Add(1)
			if isBack.Load() {
				return nil
			}
			return errors.New("the database is down")
		}}
		go c.run(t.Context())
		time.Sleep(time.Hour)
		if tries.Load() > 0 {
			t.Error("sessions were reconciled with a view that is not current")
		}
		isCurrent.Store(true)
		// A little more: between two tries, not at the instant of one.
		time.Sleep(time.Minute + catchUpInterval/2)
		if tries.Swap(0) < 2 {
			t.Error("the reconciliation was not retried")
		}
		isBack.Store(true)
		time.Sleep(time.Hour)
		if n := tries.Load(); n != 1 {
			t.Errorf("the reconciliation ran %d times", n)
		}
	})
}

func TestSessionCatchUp_StopsWithServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		sessionCatchUp{viewIsCurrent: func() bool { return false }}.run(ctx)
	})
}

func TestSessionCatchUp_KeepsSessionsOfUnseenKeys(t *testing.T) {
	for name, c := range map[string]struct{ canHold, recorded, isCurrent, want bool }{
		"good":                   {true, true, true, true},
		"refused":                {false, true, true, false},
		"refused when last seen": {false, true, false, false},
		"not recorded":           {false, false, true, false},
		"not recorded in a view that is not current": {false, false, false, true},
	} {
		u := sessionCatchUp{
			viewIsCurrent: func() bool { return c.isCurrent },
			canHold:       func(*pepper.Digest) (bool, bool) { return c.canHold, c.recorded },
		}
		if canHold, recorded := u.validity(&pepper.Digest{}); canHold != c.want || recorded != c.recorded {
			t.Errorf("%s: %t and %t", name, canHold, recorded)
		}
	}
}
