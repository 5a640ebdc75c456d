package database

import (
	"errors"
	"os"
	"syscall"
)

var errTaken = errors.New("another process has the file open")

// lock has this process be the one that opens the database. SQLite has locks of its own, but of two who want all of them at
// once, each may get the half that the other needs, time and again.
func (f *sqliteFile) lock() error {
	if f.isLocked() {
		return nil
	}
	f.unlock()
	file, err := os.OpenFile(f.lockPath(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	// It ends with the process, however that ends.
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errTaken
		}
		return errors.Join(err, file.Close())
	}
	f.locked = file
	return nil
}

func (f *sqliteFile) lockPath() string { return f.path + ".lock" }

// isLocked is false when the file that is locked is not what the next process would find.
func (f *sqliteFile) isLocked() bool {
	if f.locked == nil {
		return false
	}
	ours, err := f.locked.Stat()
	if err != nil {
		return false
	}
	found, err := os.Stat(f.lockPath())
	return err == nil && os.SameFile(ours, found)
}

// unlock leaves the file where it is: others may have it open already, and wait for it.
func (f *sqliteFile) unlock() {
	if f.locked != nil {
		_ = f.locked.Close()
		f.locked = nil
	}
}
