package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// leash ends every process of the stack when this process ends, even if this process is killed and cannot clean up. It
// is a FIFO that this process holds open for writing: its readers see the end of the file when this process is gone.
type leash struct {
	dir  string
	fifo *os.File
}

// leashScript starts a program and a watcher in the same process group. The watcher waits for the end of the FIFO, then
// ends the group. The FIFO is opened before the program starts: opened after this process is gone, it would wait for
// ever. envtest runs programs with --help and without a group; the watcher is left out then.
const leashScript = `#!/bin/sh
if [ "$1" != --help ]; then
  exec 3<FIFO
  (
    read -r _ <&3
    trap '' TERM
    kill -TERM -$$
    for second in 1 2 3 4 5 6 7 8 9 10; do
      sleep 1
      kill -0 $$ || exit
    done
    kill -KILL -$$
  ) </dev/null >/dev/null 2>&1 &
  exec 3<&-
  echo $$ >SELF.pid
fi
exec PROGRAM "$@"
`

func newLeash(dir string) (*leash, error) {
	path := filepath.Join(dir, "leash")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return nil, fmt.Errorf("make FIFO %s: %w", path, err)
	}
	// Opened for reading too, because opening for writing alone would wait for a reader.
	fifo, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &leash{dir: dir, fifo: fifo}, nil
}

// wrap returns the path of a script that runs program on the leash, with the process id of the script.
func (l *leash) wrap(program string) (string, error) {
	script := filepath.Join(l.dir, filepath.Base(program))
	text := strings.NewReplacer(
		"FIFO", shellQuote(l.fifo.Name()), "PROGRAM", shellQuote(program), "SELF", shellQuote(script),
	).Replace(leashScript)
	return script, os.WriteFile(script, []byte(text), 0o700)
}

func (l *leash) close() error {
	return l.fifo.Close()
}

// shellQuote quotes s as one word for sh.
func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
