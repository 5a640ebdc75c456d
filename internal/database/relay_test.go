package database_test

import (
	"bytes"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"keywright.dev/keywright/test/postgres"
)

// wire relays connections to PostgreSQL, and can stop all traffic without closing them.
type wire struct {
	url string
	// held is locked while traffic is stopped.
	held sync.RWMutex
	// cut is where the next connection breaks.
	cut atomic.Pointer[cut]
}

// cut breaks a connection when a client sends a text: after PostgreSQL has received it, or before.
type cut struct {
	text     string
	received bool
}

// breaks reports whether the connection breaks at this part of what a client sends.
func (w *wire) breaks(sent []byte) *cut {
	at := w.cut.Load()
	if at == nil || !bytes.Contains(sent, []byte(at.text)) || !w.cut.CompareAndSwap(at, nil) {
		return nil
	}
	return at
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
	go w.pass(outgoing, incoming, func([]byte) *cut { return nil })
	w.pass(incoming, outgoing, w.breaks)
}

func (w *wire) pass(from, to net.Conn, breaks func([]byte) *cut) {
	defer func() { _ = to.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		at := breaks(buffer[:n])
		if at != nil {
			_ = from.Close()
		}
		if at != nil && !at.received {
			return
		}
		w.held.RLock()
		_, err = to.Write(buffer[:n])
		w.held.RUnlock()
		if err != nil || at != nil {
			return
		}
	}
}
