package database_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/internal/manage/seenusers"
	"keywright.dev/keywright/internal/manage/usage"
)

const mib = 1 << 20

// openStill returns a SQLite database that does not run, with more pragmas on each connection.
func openStill(t *testing.T, path string, pragmas func() []string) *database.DB {
	t.Helper()
	d, err := database.OpenWith(t.Context(), path, slog.New(slog.DiscardHandler), pragmas)
	must(t, err, d.Err())
	t.Cleanup(func() { must(t, d.Close()) })
	return d
}

func noPragmas() []string { return nil }

// What is left of a volume that is almost full is for sessions and the audit trail.
func TestVolume_LowSpace(t *testing.T) {
	d := openStill(t, dialects["SQLite"](t), noPragmas)
	if d.Volume() != nil {
		t.Error("known before it is measured")
	}
	writes := map[string]func() error{
		"last uses": func() error { return d.LastUses().SaveUses(t.Context(), []lastuse.Use{{UID: "a", At: noon}}) },
		"uses by address": func() error {
			return d.LastUses().SaveAddressUses(t.Context(), []lastuse.AddressUse{addressUse("a", "", 0)})
		},
		"token usage": func() error {
			_, err := d.Usage().Append(t.Context(), []usage.Record{record(rand.Text())})
			return err
		},
		"seen users": func() error {
			return d.SeenUsers().Save(t.Context(), []seenusers.Sighting{sighting("alice", 0)})
		},
	}
	for _, step := range []struct {
		free, size uint64
		low        bool
	}{
		{1000 * mib, 1024 * mib, false},
		{103 * mib, 1024 * mib, false},
		{102 * mib, 1024 * mib, true},
		// It is over when there is a quarter more.
		{127 * mib, 1024 * mib, true},
		{129 * mib, 1024 * mib, false},
		// A large volume is not low at a tenth.
		{1025 * mib, 1024 * 1024 * mib, false},
		{1023 * mib, 1024 * 1024 * mib, true},
		{0, 8 * mib, true},
	} {
		d.MeasureVolume(step.free, step.size)
		v := d.Volume()
		if v.Low != step.low || v.Free != step.free || v.Size != step.size {
			t.Errorf("%+v: %+v", step, v)
		}
		for what, write := range writes {
			switch err := write(); {
			case step.low && (err == nil || errors.Is(err, database.ErrDown)):
				t.Errorf("%+v: %s are written: %v", step, what, err)
			case !step.low && err != nil:
				t.Errorf("%+v: %s: %v", step, what, err)
			}
		}
		must(t, d.Err(), d.Audit().Append(t.Context(), []audit.Entry{{At: noon}}))
		addSessions(t, d.Sessions(), "alice", 1)
	}
}

func TestPostgres_HasNoVolume(t *testing.T) {
	d := open(t, emptyPostgres(t))
	if d.Volume() != nil {
		t.Error("the volume of another server is known")
	}
}

func TestReserve_IsKeptWhileThereIsRoom(t *testing.T) {
	path := dialects["SQLite"](t)
	d, reserve := openStill(t, path, noPragmas), path+".reserve"
	for _, step := range []struct {
		free, size uint64
		want       int64
	}{
		{900 * mib, 1024 * mib, 8 * mib},
		// It stays until the volume is full.
		{0, 1024 * mib, 8 * mib},
		{200 * mib, 256 * mib, 4 * mib},
	} {
		d.MeasureVolume(step.free, step.size)
		info, err := os.Stat(reserve)
		must(t, err)
		if info.Size() != step.want || info.Mode().Perm() != 0o600 {
			t.Errorf("%+v: %d bytes, %s", step, info.Size(), info.Mode())
		}
	}
	must(t, os.Remove(reserve))
	d.MeasureVolume(20*mib, 256*mib)
	if _, err := os.Stat(reserve); err == nil {
		t.Error("it takes the last space")
	}
}

// full makes volumes that are full until something on them is removed.
func full(t *testing.T) map[string]func(t *testing.T) (path string, pragmas func() []string) {
	t.Helper()
	all := map[string]func(*testing.T) (string, func() []string){
		// Pages take the place of bytes: there are a few more once the reserve is gone.
		"pages": func(t *testing.T) (string, func() []string) {
			t.Helper()
			path := dialects["SQLite"](t)
			return path, func() []string {
				if _, err := os.Stat(path + ".reserve"); err == nil {
					return []string{"max_page_count(60)"}
				}
				return []string{"max_page_count(400)"}
			}
		},
	}
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=8m"); err != nil {
		t.Log("without a real volume: ", err)
		return all
	}
	t.Cleanup(func() { must(t, syscall.Unmount(folder, 0)) })
	all["a volume"] = func(*testing.T) (string, func() []string) {
		return filepath.Join(folder, "keywright.db"), noPragmas
	}
	return all
}

// On a full volume people can still log in, until the reserve is in use as well. Then the database counts as lost.
func TestReserve_LetsPeopleLogIn(t *testing.T) {
	for name, volume := range full(t) {
		t.Run(name, func(t *testing.T) {
			path, pragmas := volume(t)
			d := openStill(t, path, pragmas)
			// It is room for the reserve, and for nothing else.
			d.MeasureVolume(100*mib, 100*mib)
			d.Renew(t.Context())
			logsIn := func(i int) error {
				one := session(1, fmt.Sprint("user-", i))
				one.ID[0], one.ID[1] = byte(i>>8), byte(i)
				return d.Sessions().Add(t.Context(), one)
			}
			i := 0
			for ; reserved(path); i++ {
				must(t, d.Audit().Append(t.Context(), bigEntries()), logsIn(i))
				if i > 1000 {
					t.Fatal("it is never full")
				}
			}
			t.Log("the reserve was released after ", i)
			for range 10 {
				i++
				must(t, logsIn(i), d.Err())
			}
			eventually(t, "the reserve is in use as well", func() bool {
				return errors.Is(d.Audit().Append(t.Context(), bigEntries()), database.ErrDown)
			})
			if err := d.Err(); err == nil || !strings.Contains(err.Error(), "full") {
				t.Error(err)
			}
			t.Log(d.Err())
		})
	}
}

func reserved(path string) bool {
	_, err := os.Stat(path + ".reserve")
	return err == nil
}
