package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// lockFile says in a folder that a demo is up there: it is locked as long as that runs, however it ends, and
// holds a line about it.
const lockFile = "lock"

// lock makes the folder and takes it for this process, or tells who has it.
func lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(taken(file.Name(), err), file.Close())
	}
	line := fmt.Sprintf("process %d, since %s", os.Getpid(), time.Now().Format(time.TimeOnly))
	if err := errors.Join(file.Truncate(0), writeAll(file, line)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { _ = file.Close() }, nil
}

func taken(path string, err error) error {
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	owner, _ := os.ReadFile(path)
	return fmt.Errorf("a demo is up already (%s); use that one with `. %s/env`, or end it first with Ctrl-C where it runs",
		strings.TrimSpace(string(owner)), folder)
}

func writeAll(file *os.File, line string) error {
	_, err := file.WriteString(line + "\n")
	return err
}

// clean removes what an earlier run left, of which nothing runs any more.
func clean(dir string) error {
	return removeBut(dir, lockFile)
}

// keepLogs removes what is of no use to anybody once nothing runs; keys are among it.
func keepLogs(dir string) error {
	return removeBut(dir, lockFile, "logs")
}

func removeBut(dir string, keep ...string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		if !slices.Contains(keep, entry.Name()) {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, entry.Name())))
		}
	}
	return errors.Join(errs...)
}
