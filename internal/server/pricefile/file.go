// Package pricefile follows the file with prices of AI models. Package config decides what a valid file is.
package pricefile

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/config/prices"
	"keywright.dev/keywright/internal/program"
)

const (
	interval = 5 * time.Second
	// warnAgainAfter is shorter than the hour that an API server keeps an event.
	warnAgainAfter = 55 * time.Minute
)

// Options are what a File works with.
type Options struct {
	Path string
	// Use takes the prices of each version of the file that is valid.
	Use func([]prices.Price)
	// Warn reports to people that the file can't be used.
	Warn func(text string)
	Now  func() time.Time
	Log  *slog.Logger
}

// File is a file with prices. Run and Check must not be called at the same time.
type File struct {
	Options
	// parsed is the version of the file that was parsed last.
	parsed   os.FileInfo
	fault    string
	warnedAt time.Time
	refused  atomic.Bool
}

// New returns a File that has not been read.
func New(o Options) *File { return &File{Options: o} }

// Refused reports whether the file can't be used. The last valid prices stay in force.
func (f *File) Refused() bool { return f.refused.Load() }

// Run checks the file until ctx ends. It polls for the same reasons as peppermount.
func (f *File) Run(ctx context.Context) {
	for program.Pause(ctx, interval) {
		f.Check()
	}
}

// Check uses the file if it has changed. A file that can't be used changes nothing, and is reported.
func (f *File) Check() {
	all, changed, problem := f.load()
	switch {
	case problem != "":
		f.report(problem)
	case changed:
		f.Use(all)
		f.Log.Info("The file with prices is in use", "file", f.Path, "prices", len(all))
		f.fault, f.warnedAt = "", time.Time{}
		f.refused.Store(false)
	}
}

// report logs a new problem once, and warns of one again so often that there is always an event.
func (f *File) report(problem string) {
	f.refused.Store(true)
	if problem != f.fault {
		f.fault, f.warnedAt = problem, time.Time{}
		f.Log.Error("The file with prices can't be used: the previous prices stay in force", "file", f.Path, "error", problem)
	}
	if now := f.Now(); f.warnedAt.IsZero() || now.Sub(f.warnedAt) >= warnAgainAfter {
		f.warnedAt = now
		f.Warn("The file with prices, " + f.Path + ", " + problem + ". The previous prices stay in force.")
	}
}

// load parses the file if it has changed. The problem is the rest of a sentence.
func (f *File) load() (all []prices.Price, changed bool, problem string) {
	info, err := os.Stat(f.Path)
	switch {
	case err != nil:
		f.parsed = nil
		return nil, false, describe(err)
	case !info.Mode().IsRegular():
		f.parsed = nil
		return nil, false, "is not a file"
	case f.parsed != nil && isSame(f.parsed, info):
		return nil, false, f.fault
	}
	content, err := read(f.Path)
	if err != nil {
		f.parsed = nil
		return nil, false, describe(err)
	}
	// A change since Stat is seen by the next check.
	f.parsed = info
	all, problem = config.ParsePriceFile(content)
	return all, problem == "", problem
}

func isSame(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// read reads at most one byte more than a valid file has.
func read(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(io.LimitReader(file, config.MaxPriceFile+1))
}

// describe leaves out the path, which the sentence begins with.
func describe(err error) string {
	var of *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist"
	case errors.As(err, &of):
		err = of.Err
	}
	return "can't be read: " + err.Error()
}
