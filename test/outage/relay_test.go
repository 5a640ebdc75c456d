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
	// thawed is closed unless the relay is frozen.
	thawed chan struct{}
}

func newRelay(to string) (*relay, error) {
	r := &relay{to: to, address: "127.0.0.1:0", open: map[net.Conn]bool{}, thawed: make(chan struct{})}
	close(r.thawed)
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

// freeze stops forwarding, but accepts and keeps connections.
func (r *relay) freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.thawed = make(chan struct{})
}

// thaw forwards what has arrived meanwhile, and whatever follows.
func (r *relay) thaw() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.thawed)
}

// frozenWriter writes while the relay is not frozen.
type frozenWriter struct {
	*relay
	to io.Writer
}

// Write implements io.Writer.
func (w frozenWriter) Write(data []byte) (int, error) {
	w.mu.Lock()
	thawed := w.thawed
	w.mu.Unlock()
	<-thawed
	return w.to.Write(data)
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
		_, _ = io.Copy(frozenWriter{r, outgoing}, incoming)
		_ = outgoing.Close()
	}()
	_, _ = io.Copy(frozenWriter{r, incoming}, outgoing)
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
