package keylogs

import (
	"io"
	"net"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// line forwards connections to a backend of the server, unless it is cut.
type line struct {
	address, to string

	mu sync.Mutex
	// listener is nil while the line is cut.
	listener net.Listener
	open     []net.Conn
}

// openLine opens a line to a backend until the suite ends.
func openLine(to string) *line {
	GinkgoHelper()
	l := &line{address: "127.0.0.1:0", to: to}
	l.mend()
	DeferCleanup(l.cut)
	return l
}

// mend listens again at the same address.
func (l *line) mend() {
	GinkgoHelper()
	l.mu.Lock()
	defer l.mu.Unlock()
	listener, err := net.Listen("tcp", l.address)
	Expect(err).NotTo(HaveOccurred())
	l.listener, l.address = listener, listener.Addr().String()
	go l.accept(listener)
}

// cut ends all connections and refuses new ones.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener == nil {
		return
	}
	_ = l.listener.Close()
	for _, c := range l.open {
		_ = c.Close()
	}
	l.listener, l.open = nil, nil
}

func (l *line) accept(listener net.Listener) {
	for {
		incoming, err := listener.Accept()
		if err != nil {
			return
		}
		l.pass(listener, incoming)
	}
}

func (l *line) pass(listener net.Listener, incoming net.Conn) {
	outgoing, err := net.Dial("tcp", l.to)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || l.listener != listener {
		_ = incoming.Close()
		return
	}
	l.open = append(l.open, incoming, outgoing)
	forward := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		_ = to.Close()
	}
	go forward(outgoing, incoming)
	go forward(incoming, outgoing)
}
