package deadline

import (
	"errors"
	"io"
	"net"
	"time"
)

// Listener has connections by TCP whose deadlines are cheap. Others are as they are.
type Listener struct{ net.Listener }

// Accept is part of net.Listener.
func (l Listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if tcp, is := accepted.(*net.TCPConn); is && err == nil {
		return newConn(tcp), nil
	}
	return accepted, err
}

// conn is a connection whose deadlines are cheap.
type conn struct {
	*net.TCPConn
	read, write side
}

func newConn(tcp *net.TCPConn) *conn {
	return &conn{TCPConn: tcp, read: side{set: tcp.SetReadDeadline, soon: soon}, write: side{set: tcp.SetWriteDeadline, soon: soon}}
}

// Read is part of net.Conn.
func (c *conn) Read(b []byte) (int, error) { return c.read.do(c.TCPConn.Read, b) }

// Write is part of net.Conn: it writes all of b or returns an error. What was cut short too early goes on.
func (c *conn) Write(b []byte) (written int, err error) {
	for {
		n, err := c.write.do(c.TCPConn.Write, b[written:])
		written += n
		if err == nil || n == 0 || !c.write.wasEarly(err) {
			return written, err
		}
	}
}

// ReadFrom is part of io.ReaderFrom: the kernel may do the copying.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	return c.write.hand(func() (int64, error) { return c.TCPConn.ReadFrom(r) })
}

// WriteTo is part of io.WriterTo: the kernel may do the copying.
func (c *conn) WriteTo(w io.Writer) (int64, error) {
	return c.read.hand(func() (int64, error) { return c.TCPConn.WriteTo(w) })
}

// SetDeadline is part of net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.read.want(t), c.write.want(t))
}

// SetReadDeadline is part of net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error { return c.read.want(t) }

// SetWriteDeadline is part of net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.write.want(t) }
