package database

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"keywright.dev/keywright/internal/program"
)

const (
	// volumeEvery is how often the free space is measured.
	volumeEvery = 10 * time.Second
	// The space is low below a tenth of the volume, or below maxLow if that is less.
	lowShare, maxLow = 10, 1 << 30
	// The reserve takes up to maxReserve, and no more than this share of the volume.
	reserveShare, maxReserve = 64, 8 << 20
)

// Volume is the file system that a SQLite file is on.
type Volume struct {
	// Free and Size are in bytes.
	Free, Size uint64
	// Low is true while the free space is low. Last uses and seen users are then not written.
	Low bool
}

// volume is what was measured last.
type volume struct{ measured atomic.Pointer[Volume] }

// errLow is why what the server can do without is not written.
var errLow = errors.New("the volume of the database is almost full")

// Volume returns the volume as of the last measurement, or nil with PostgreSQL, which has its own.
func (d *DB) Volume() *Volume { return d.volume.measured.Load() }

// checkRoom refuses to write what the server can do without while the space is low: what is left is for sessions and
// the audit trail.
func (d *DB) checkRoom(what string) error {
	if v := d.Volume(); v != nil && v.Low {
		return fmt.Errorf("%s: %w", what, errLow)
	}
	return nil
}

func (d *DB) watchVolume(ctx context.Context) {
	file, ok := d.dialect.(*sqliteFile)
	for ok && ctx.Err() == nil {
		d.measureVolume(file)
		program.Pause(ctx, volumeEvery)
	}
}

func (d *DB) measureVolume(file *sqliteFile) {
	now, err := file.space(filepath.Dir(file.path))
	if err != nil {
		d.log.Debug("The volume of the database cannot be measured", "error", err)
		return
	}
	before := d.Volume()
	now.Low = now.isLow(before != nil && before.Low)
	d.volume.measured.Store(&now)
	if err := file.reserve.keep(&now); err != nil {
		d.log.Debug("No space is reserved on the volume of the database", "error", err)
	}
}

// isLow reports whether the space is low. It stays low until there is a quarter more than the limit.
func (v *Volume) isLow(before bool) bool {
	limit := min(v.Size/lowShare, maxLow)
	if before {
		limit += limit / 4
	}
	return v.Free < limit
}

// statfs measures the file system of a folder.
func statfs(folder string) (Volume, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return Volume{}, err
	}
	block := uint64(s.Bsize)
	return Volume{Free: s.Bavail * block, Size: s.Blocks * block}, nil
}

// isFull reports whether a write failed because the volume is full.
func isFull(err error) bool {
	return code(err) == sqlite3.SQLITE_FULL || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// reserve is a file beside the database that only takes up space. It is removed once the volume is full, so that people
// can still log in while they make room.
type reserve struct {
	path string
	mu   sync.Mutex
}

// keep writes the reserve if it is missing and there is room for it.
func (r *reserve) keep(v *Volume) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	size := min(v.Size/reserveShare, maxReserve)
	if info, err := os.Stat(r.path); err == nil && info.Size() == int64(size) {
		return nil
	}
	after := Volume{Free: v.Free - min(size, v.Free), Size: v.Size}
	if after.isLow(true) {
		return nil
	}
	content := make([]byte, size)
	// Zeros could be stored without taking up space.
	_, _ = rand.Read(content)
	if err := os.WriteFile(r.path, content, 0o600); err != nil {
		return errors.Join(err, r.remove())
	}
	return nil
}

// release removes the reserve, and reports whether there was one.
func (r *reserve) release() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	info, err := os.Stat(r.path)
	return err == nil && info.Size() > 0 && r.remove() == nil
}

func (r *reserve) remove() error {
	if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
