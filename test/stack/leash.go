package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// leash ties the life of every process of the stack to ours: even when we are killed and can tear nothing down,
// none is left behind. It is a FIFO that we hold open for writing; who reads it sees the end when we are gone.
type leash struct {
	dir  string
	fifo *os.File
}

// leashScript starts a program with a watcher beside it in the same process group. The watcher waits for the end
// of the FIFO, then ends the group. With --help (envtest asks for it, without a group) there is nothing to watch.
const leashScript = `#!/bin/sh
if [ "$1" != --help ]; then
  (
    read -r _ <FIFO
    trap '' TERM
    kill -TERM -$$
    for second in 1 2 3 4 5 6 7 8 9 10; do
      sleep 1
      kill -0 $$ || exit
    done
    kill -KILL -$$
  ) </dev/null >/dev/null 2>&1 &
fi
exec PROGRAM "$@"
`

func newLeash(dir string) (*leash, error) {
	path := filepath.Join(dir, "leash")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return nil, fmt.Errorf("make FIFO %s: %w", path, err)
	}
	// Opened for reading too, only because opening for writing alone would wait for a reader.
	fifo, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &leash{dir: dir, fifo: fifo}, nil
}

// wrap returns the path of a script that runs program on the leash. Its process id is that of the program.
func (l *leash) wrap(program string) (string, error) {
	script := filepath.Join(l.dir, filepath.Base(program))
	text := strings.NewReplacer("FIFO", shellQuote(l.fifo.Name()), "PROGRAM", shellQuote(program)).Replace(leashScript)
	return script, os.WriteFile(script, []byte(text), 0o700)
}

func (l *leash) close() error {
	return l.fifo.Close()
}

// shellQuote makes one word of s for sh, whatever is in it.
func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
