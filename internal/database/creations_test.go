package database_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/idempotency/creation"
)

var ofForm = creation.DigestOf("User/alice", "form-1")

// kept records a creation at a time, and returns what is recorded after that.
func kept(t *testing.T, d *database.DB, key creation.Digest, id string, at time.Time) string {
	t.Helper()
	recorded, err := d.Creations().Keep(t.Context(), key, id, at, at.Add(-creation.Window))
	must(t, err)
	return recorded
}

// made returns what was created with a key, at a time.
func made(t *testing.T, d *database.DB, key creation.Digest, now time.Time) string {
	t.Helper()
	id, err := d.Creations().Made(t.Context(), key, now.Add(-creation.Window))
	must(t, err)
	return id
}

func TestCreations_FirstOneStaysForItsWindow(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		if id := made(t, d, ofForm, noon); id != "" {
			t.Errorf("%q was created", id)
		}
		end := noon.Add(creation.Window)
		for _, c := range []struct {
			id   string
			at   time.Time
			want string
		}{
			{"uid-1", noon, "uid-1"},
			{"uid-1", noon, "uid-1"},
			{"uid-2", noon, "uid-1"},
			{"uid-2", end.Add(-time.Microsecond), "uid-1"},
			{"uid-3", end, "uid-3"},
			{"uid-1", end, "uid-3"},
		} {
			if got := kept(t, d, ofForm, c.id, c.at); got != c.want {
				t.Errorf("%s at %s: %s is recorded, want %s", c.id, c.at, got, c.want)
			}
			if got := made(t, d, ofForm, c.at); got != c.want {
				t.Errorf("at %s: %s was created, want %s", c.at, got, c.want)
			}
		}
		// The window counts from the first creation, whatever was tried since.
		if id := made(t, d, ofForm, end.Add(creation.Window)); id != "" {
			t.Errorf("%q was created", id)
		}
		for _, other := range []creation.Digest{
			creation.DigestOf("User/bob", "form-1"), creation.DigestOf("User/alice", "form-2"),
		} {
			if id := made(t, d, other, end); id != "" {
				t.Errorf("%q was created with another key", id)
			}
		}
	})
}

func TestCreations_StoreNoIdempotencyKey(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		kept(t, d, creation.DigestOf("User/alice", "private-value"), "uid \x00", noon)
		rows := strings.Join(dump(t, d, "creations"), "\n")
		if strings.Contains(rows, "private") || strings.Contains(rows, "alice") || !strings.Contains(rows, "uid \ufffd") {
			t.Error(rows)
		}
	})
}

// Of many creations at once, on any number of replicas, one is recorded, and each learns which.
func TestCreations_ReplicasAgree(t *testing.T) {
	url := emptyPostgres(t)
	replicas := []*database.DB{openPatiently(t, url), openPatiently(t, url)}
	var all sync.WaitGroup
	recorded, errs := make([]string, 16), make([]error, 16)
	for i := range recorded {
		all.Go(func() {
			store := replicas[i%len(replicas)].Creations()
			recorded[i], errs[i] = store.Keep(t.Context(), ofForm, fmt.Sprint("uid-", i), noon, noon.Add(-creation.Window))
		})
	}
	all.Wait()
	must(t, errs...)
	for _, id := range recorded {
		if id != recorded[0] {
			t.Errorf("%q", recorded)
		}
	}
}

func TestCreations_OutliveTheServer(t *testing.T) {
	for name, empty := range dialects {
		t.Run(name, func(t *testing.T) {
			url := empty(t)
			t.Run("before", func(t *testing.T) { kept(t, openPatiently(t, url), ofForm, "uid-1", time.Now()) })
			if id := made(t, openPatiently(t, url), ofForm, time.Now()); id != "uid-1" {
				t.Errorf("%q was created", id)
			}
		})
	}
}
