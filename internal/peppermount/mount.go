// Package peppermount reads the peppers from the folder that Secret keywright-pepper is mounted in, and follows its
// changes. What a pepper is, is internal/pepper's business.
package peppermount

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"keywright.dev/keywright/internal/pepper"
)

// Read loads the keyring from dir. Hidden entries are the kubelet's own and are passed over.
func Read(dir string) (*pepper.Keyring, error) {
	entries, err := readEntries(dir)
	if err != nil {
		return nil, err
	}
	ring, err := pepper.Load(entries)
	if err != nil {
		return nil, fmt.Errorf("the pepper in %s can't be used: %w", dir, err)
	}
	return ring, nil
}

func readEntries(dir string) (map[string][]byte, error) {
	listed, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no pepper: folder %s does not exist; mount Secret keywright-pepper there, or name another folder with --pepper-dir", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the pepper: %w", err)
	}
	entries := map[string][]byte{}
	for _, entry := range listed {
		path := filepath.Join(dir, entry.Name())
		if info, err := os.Stat(path); strings.HasPrefix(entry.Name(), ".") || err == nil && info.IsDir() {
			continue
		}
		content, err := readBounded(path)
		if err != nil {
			return nil, fmt.Errorf("reading the pepper: %w", err)
		}
		entries[entry.Name()] = content
	}
	return entries, nil
}

// readBounded reads one byte more than a pepper may have: enough to be refused.
func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content := make([]byte, pepper.MaxLength+1)
	n, err := file.Read(content)
	if n > 0 || err == nil {
		return content[:n], nil
	}
	// An empty file is a pepper of no bytes, which Load refuses by its name.
	return nil, nil //nolint:nilerr // see above
}

// Follow looks every so often and passes each new keyring to use, until ctx ends. Content that can't be used changes
// nothing; it is logged once.
//
// Looking is enough: the kubelet takes about a minute to bring a change, and a folder swapped by symbolic links is
// easily missed by a file watch.
func Follow(ctx context.Context, dir string, every time.Duration, use func(*pepper.Keyring), log *slog.Logger) {
	seen, _ := readEntries(dir)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now, err := readEntries(dir)
		if err != nil || maps.EqualFunc(seen, now, bytes.Equal) {
			continue
		}
		seen = now
		ring, err := pepper.Load(now)
		if err != nil {
			log.Error("The mounted pepper has changed and can't be used: going on with the one before", "error", err.Error())
			continue
		}
		use(ring)
		log.Info("The mounted pepper has changed", "pepper", ring.ActiveID(), "peppers", ring.Len())
	}
}
