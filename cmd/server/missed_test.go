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

func TestWhatWasMissedEndsOnceAllIsSeenAndTheDatabaseAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seesAll, isBack atomic.Bool
		var tries atomic.Int32
		m := missed{seesAll: seesAll.Load, reconcile: func(context.Context, func(*pepper.Digest) (bool, bool)) error {
			tries.Add(1)
			if isBack.Load() {
				return nil
			}
			return errors.New("the database is away")
		}}
		go m.end(t.Context())
		time.Sleep(time.Hour)
		if tries.Load() > 0 {
			t.Error("sessions are judged by what has not been seen")
		}
		seesAll.Store(true)
		time.Sleep(time.Minute)
		if tries.Swap(0) < 2 {
			t.Error("it was not tried again")
		}
		isBack.Store(true)
		time.Sleep(time.Hour)
		if n := tries.Load(); n != 1 {
			t.Errorf("it was done %d times", n)
		}
	})
}

func TestItIsTriedUntilTheServerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		missed{seesAll: func() bool { return false }}.end(ctx)
	})
}

func TestAKeyThatCantBeSeenIsTakenForAGoodOne(t *testing.T) {
	for name, c := range map[string]struct{ carries, onRecord, seesAll, want bool }{
		"good":                          {true, true, true, true},
		"refused":                       {false, true, true, false},
		"refused when it was seen":      {false, true, false, false},
		"not on record":                 {false, false, true, false},
		"not on record, as far as seen": {false, false, false, true},
	} {
		m := missed{seesAll: func() bool { return c.seesAll }, carries: func(*pepper.Digest) (bool, bool) { return c.carries, c.onRecord }}
		if carries, onRecord := m.standing(&pepper.Digest{}); carries != c.want || onRecord != c.onRecord {
			t.Errorf("%s: %t and %t", name, carries, onRecord)
		}
	}
}
