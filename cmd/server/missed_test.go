package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/pepper"
)

func TestWhatWasMissedEndsOnceAllIsSeenAndTheDatabaseAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seesAll, away, tries := false, errors.New("the database is away"), 0
		m := missed{
			seesAll:   func() bool { return seesAll },
			reconcile: func(context.Context, func(*pepper.Digest) (bool, bool)) error { tries++; return away },
		}
		go m.end(t.Context())
		time.Sleep(time.Hour)
		if tries > 0 {
			t.Error("sessions are judged by what has not been seen")
		}
		seesAll = true
		time.Sleep(time.Minute)
		if tries < 2 {
			t.Error("it was not tried again")
		}
		away, tries = nil, 0
		time.Sleep(time.Hour)
		if tries != 1 {
			t.Errorf("it was done %d times", tries)
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
