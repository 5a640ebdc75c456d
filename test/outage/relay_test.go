package outage

import (
	"io"
	"net"
	"sync"
)

// relay forwards connections to an address until it is cut.
type relay struct {
	to string

	mu       sync.Mutex
	address  string
	listener net.Listener
	open     map[net.Conn]bool
}

func newRelay(to string) (*relay, error) {
	r := &relay{to: to, address: "127.0.0.1:0", open: map[net.Conn]bool{}}
	if err := r.mend(); err != nil {
		return nil, err
	}
	r.address = r.listener.Addr().String()
	return r, nil
}

// mend listens again at the same address.
func (r *relay) mend() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	listener, err := net.Listen("tcp", r.address)
	if err != nil {
		return err
	}
	r.listener = listener
	go r.accept(listener)
	return nil
}

// cut ends all connections and refuses new ones.
func (r *relay) cut() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener == nil {
		return nil
	}
	err := r.listener.Close()
	r.listener = nil
	for connection := range r.open {
		_ = connection.Close() // the other end may have closed it already
	}
	clear(r.open)
	return err
}

func (r *relay) accept(listener net.Listener) {
	for {
		incoming, err := listener.Accept()
		if err != nil {
			return
		}
		go r.pass(listener, incoming)
	}
}

func (r *relay) pass(listener net.Listener, incoming net.Conn) {
	outgoing, err := net.Dial("tcp", r.to)
	if err != nil || !r.keep(listener, incoming, outgoing) {
		_ = incoming.Close()
		return
	}
	go func() {
		_, _ = io.Copy(outgoing, incoming)
		_ = outgoing.Close()
	}()
	_, _ = io.Copy(incoming, outgoing)
	_ = incoming.Close()
	r.drop(incoming, outgoing)
}

// keep returns false for a connection that was accepted just before its listener was closed.
func (r *relay) keep(listener net.Listener, connections ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener != listener {
		return false
	}
	for _, c := range connections {
		r.open[c] = true
	}
	return true
}

func (r *relay) drop(connections ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range connections {
		delete(r.open, c)
	}
}
