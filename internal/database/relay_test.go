package database_test

import (
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"testing"

	"keywright.dev/keywright/test/postgres"
)

// wire relays connections to PostgreSQL, and can stop all traffic without closing them.
type wire struct {
	url string
	// held is locked while traffic is stopped.
	held sync.RWMutex
}

func relay(t *testing.T, to *postgres.Server) *wire {
	t.Helper()
	there, err := to.Database(t.Context())
	must(t, err)
	u, err := url.Parse(there)
	must(t, err)
	dir := t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(dir, filepath.Base(to.Socket())))
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	u.RawQuery = url.Values{"host": {dir}}.Encode()
	w := &wire{url: u.String()}
	go func() {
		for {
			incoming, err := listener.Accept()
			if err != nil {
				return
			}
			go w.join(incoming, to.Socket())
		}
	}()
	return w
}

func (w *wire) hold()    { w.held.Lock() }
func (w *wire) release() { w.held.Unlock() }

func (w *wire) join(incoming net.Conn, socket string) {
	outgoing, err := net.Dial("unix", socket)
	if err != nil {
		_ = incoming.Close()
		return
	}
	go w.pass(outgoing, incoming)
	w.pass(incoming, outgoing)
}

func (w *wire) pass(from, to net.Conn) {
	defer func() { _ = to.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		w.held.RLock()
		_, err = to.Write(buffer[:n])
		w.held.RUnlock()
		if err != nil {
			return
		}
	}
}
