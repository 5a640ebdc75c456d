package postgres

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
)

// securePort is below the ports that systems give to clients.
const securePort = "15432"

// secure makes a server listen for connections by TCP, which use TLS. PostgreSQL has no TLS on sockets.
type secure struct {
	certificate, key []byte
	// address is a loopback address of its own, so that no other test has the port.
	address string
	// relay listens on the usual loopback address, which clients know by a name.
	relay net.Listener
}

// StartTLS is Start for a server that can also be reached by TCP with TLS: SecureURL.
func StartTLS(t T, certificate, key []byte) *Server {
	t.Helper()
	n := rand.Uint32()
	return start(t, &secure{
		certificate: certificate, key: key, address: fmt.Sprintf("127.%d.%d.%d", n>>16&255, n>>8&255, n&255|1),
	})
}

// settings returns what PostgreSQL needs, with files in its folder.
func (s *secure) settings(folder string) []string {
	return []string{
		"ssl=on", "ssl_cert_file=" + filepath.Join(folder, "tls.crt"), "ssl_key_file=" + filepath.Join(folder, "tls.key"),
		"listen_addresses=" + s.address, "port=" + securePort,
	}
}

// prepare writes the files for the user that PostgreSQL runs as. Nil: the current user.
func (s *secure) prepare(folder string, as *syscall.Credential) error {
	for name, content := range map[string][]byte{"tls.crt": s.certificate, "tls.key": s.key} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
		if as == nil {
			continue
		}
		if err := os.Chown(path, int(as.Uid), int(as.Gid)); err != nil {
			return err
		}
	}
	var err error
	s.relay, err = net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		go s.forward()
	}
	return err
}

// forward forwards connections until the relay is closed.
func (s *secure) forward() {
	for {
		incoming, err := s.relay.Accept()
		if err != nil {
			return
		}
		go s.join(incoming)
	}
}

func (s *secure) join(incoming net.Conn) {
	defer func() { _ = incoming.Close() }()
	outgoing, err := net.Dial("tcp", net.JoinHostPort(s.address, securePort))
	if err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(outgoing, incoming)
		_ = outgoing.Close()
	}()
	_, _ = io.Copy(incoming, outgoing)
}

// SecureURL returns a URL for a database of URL or Database that connects by TCP to 127.0.0.1, which host stands for.
func (s *Server) SecureURL(database, host string, parameters url.Values) (string, error) {
	u, err := url.Parse(database)
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(s.secure.relay.Addr().String())
	u.Host, u.RawQuery = net.JoinHostPort(host, port), parameters.Encode()
	return u.String(), err
}
