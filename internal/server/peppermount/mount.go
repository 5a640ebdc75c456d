// Package peppermount reads the peppers from the folder that Secret keywright-pepper is mounted in, and follows its
// changes. What a pepper is, is internal/pepper's business.
package peppermount

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
)

// Mount is a folder of peppers, one in each file.
type Mount struct {
	dir string
	// seen is what was looked at last, and fault is why that could not be used.
	seen  map[string][]byte
	fault string
	ring  *pepper.Keyring
}

// Open reads the peppers in dir. Its error is for a person to read, and says nothing of their content.
func Open(dir string) (*Mount, error) {
	m := &Mount{dir: dir}
	if _, err := m.look(); err != nil {
		return nil, err
	}
	return m, nil
}

// Keyring holds the peppers that could be used last.
func (m *Mount) Keyring() *pepper.Keyring { return m.ring }

// Follow looks every so often and passes each new keyring to use, until ctx ends. What can't be used changes nothing;
// it is logged once.
//
// Looking is enough: the kubelet takes about a minute to bring a change, and a folder swapped by symbolic links is
// easily missed by a file watch.
func (m *Mount) Follow(ctx context.Context, every time.Duration, use func(*pepper.Keyring), log *slog.Logger) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		changed, err := m.look()
		switch {
		case err != nil && err.Error() != m.fault:
			m.fault = err.Error()
			log.Error("The mounted pepper can't be used any more: going on with the one before", "error", m.fault)
		case err == nil && (changed || m.fault != ""):
			m.fault = ""
			use(m.ring)
			log.Info("The mounted pepper has changed", "pepper", m.ring.ActiveID(), "peppers", m.ring.Len())
		}
	}
}

// look says whether there is a keyring other than before.
func (m *Mount) look() (changed bool, err error) {
	entries, err := read(m.dir)
	if err != nil {
		return false, err
	}
	if m.ring != nil && maps.EqualFunc(m.seen, entries, bytes.Equal) {
		return false, nil
	}
	ring, err := pepper.Load(entries)
	if err != nil {
		return false, fmt.Errorf("the pepper in %s can't be used: %w", m.dir, err)
	}
	m.seen, m.ring = entries, ring
	return true, nil
}

func read(dir string) (map[string][]byte, error) {
	current := current(dir)
	listed, err := os.ReadDir(current)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no pepper: folder %s does not exist; mount Secret keywright-pepper there, or name another folder with --pepper-dir", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the pepper: %w", err)
	}
	entries := map[string][]byte{}
	for _, entry := range listed {
		path := filepath.Join(current, entry.Name())
		if info, err := os.Stat(path); strings.HasPrefix(entry.Name(), ".") || err == nil && info.IsDir() {
			continue
		}
		if entries[entry.Name()], err = readBounded(path); err != nil {
			return nil, fmt.Errorf("reading the pepper: %w", err)
		}
	}
	return entries, nil
}

// current is where the files are. The kubelet points ..data at a new folder to change all files at once: resolved
// beforehand, they can't be of two versions.
func current(dir string) string {
	if target, err := filepath.EvalSymlinks(filepath.Join(dir, "..data")); err == nil {
		return target
	}
	return dir
}

// readBounded reads one byte more than a pepper may have: enough to be refused.
func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(io.LimitReader(file, pepper.MaxLength+1))
}
