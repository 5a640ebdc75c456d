// Package peppermount reads the peppers from the folder in which Secret keywright-pepper is mounted, and
// follows changes of it. Package pepper decides what a valid pepper is.
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
	"keywright.dev/keywright/internal/program"
)

// Mount is a folder with one pepper in each file.
type Mount struct {
	dir string
	// files is the content that ring was loaded from. fault is why newer content is not usable.
	files map[string][]byte
	fault string
	ring  *pepper.Keyring
}

// Open reads the peppers in dir. Its errors are for people and never contain a pepper.
func Open(dir string) (*Mount, error) {
	m := &Mount{dir: dir}
	if _, err := m.load(); err != nil {
		return nil, err
	}
	return m, nil
}

// Keyring returns the last usable peppers.
func (m *Mount) Keyring() *pepper.Keyring { return m.ring }

// Follow polls the folder and passes each new keyring to use, until ctx ends. Unusable content changes nothing
// and is logged once.
//
// Polling is enough: the kubelet takes about a minute to deliver a change, and a file watch easily misses a
// folder that is swapped by symbolic links.
func (m *Mount) Follow(ctx context.Context, every time.Duration, use func(*pepper.Keyring), log *slog.Logger) {
	for program.Pause(ctx, every) {
		changed, err := m.load()
		switch {
		case err != nil && err.Error() != m.fault:
			m.fault = err.Error()
			log.Error("The mounted pepper cannot be used: continuing with the previous one", "error", m.fault)
		case err == nil && (changed || m.fault != ""):
			m.fault = ""
			use(m.ring)
			log.Info("The mounted pepper has changed", "pepper", m.ring.ActiveID(), "peppers", m.ring.Len())
		}
	}
}

// load reports whether the keyring has changed.
func (m *Mount) load() (changed bool, err error) {
	entries, err := read(m.dir)
	if err != nil {
		return false, err
	}
	if m.ring != nil && maps.EqualFunc(m.files, entries, bytes.Equal) {
		return false, nil
	}
	ring, err := pepper.Load(entries)
	if err != nil {
		return false, fmt.Errorf("the pepper in %s is not valid: %w", m.dir, err)
	}
	m.files, m.ring = entries, ring
	return true, nil
}

func read(dir string) (map[string][]byte, error) {
	current := current(dir)
	listed, err := os.ReadDir(current)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no pepper: folder %s does not exist; mount Secret keywright-pepper there, "+
			"or name another folder with --pepper-dir", dir)
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

// current returns the folder with the files. The kubelet points ..data at a new folder to change all files at
// once; resolving it first prevents a mix of two versions.
func current(dir string) string {
	if target, err := filepath.EvalSymlinks(filepath.Join(dir, "..data")); err == nil {
		return target
	}
	return dir
}

// readBounded reads at most one byte more than a valid pepper has.
func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(io.LimitReader(file, pepper.MaxLength+1))
}
