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

// lockFile is locked while a demo runs in the folder, and contains a line about it.
const lockFile = "lock"

// lock creates the folder and locks it for this process. Its error names the process that holds the lock.
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

// clean removes the files of an earlier run, whose processes have ended.
func clean(dir string) error {
	return removeBut(dir, lockFile)
}

// keepLogs removes everything but the logs: it is useless without the processes, and includes keys.
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
