package database_test

import (
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/test/certs"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/postgres"
)

// secured is a PostgreSQL with a certificate of a private authority, for db.example.com and 127.0.0.1.
func secured(t *testing.T) (server *postgres.Server, authority certs.Mount) {
	t.Helper()
	private := certs.New(t)
	pair := private.Lasting(t, "db.example.com")
	return postgres.StartTLS(t, pair.Certificate, pair.Key), certs.Mounted(t, map[string][]byte{"ca.crt": private.PEM})
}

func TestPostgreSQL_VerifiesTheServerOfAPrivateAuthority(t *testing.T) {
	server, authority := secured(t)
	other := certs.Mounted(t, map[string][]byte{"ca.crt": certs.New(t).PEM})
	for name, c := range map[string]struct {
		host, file, variable string
		// why is the reason of a refusal, or empty.
		why string
	}{
		"accepted":                     {host: "127.0.0.1", file: authority.File("ca.crt")},
		"accepted by the environment":  {host: "127.0.0.1", variable: authority.File("ca.crt")},
		"another authority":            {host: "127.0.0.1", file: other.File("ca.crt"), why: "unknown authority"},
		"no authority":                 {host: "127.0.0.1", why: "unknown authority: sslrootcert"},
		"another host":                 {host: "localhost", file: authority.File("ca.crt"), why: "other names than the host"},
		"another host, by environment": {host: "localhost", variable: authority.File("ca.crt"), why: "other names"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PGSSLROOTCERT", c.variable)
			parameters := url.Values{"sslmode": {"verify-full"}}
			if c.file != "" {
				parameters.Set("sslrootcert", c.file)
			}
			plain, err := server.Database(t.Context())
			must(t, err)
			secure, err := server.SecureURL(plain, c.host, parameters)
			must(t, err)
			log := &kit.Log{}
			d, err := database.Open(t.Context(), secure, slog.New(slog.NewTextHandler(log, nil)))
			must(t, err)
			defer func() { must(t, d.Close()) }()
			if c.why == "" {
				must(t, d.Err())
				encrypted, err := d.Names(t.Context(), "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
				must(t, err)
				if len(encrypted) != 1 || !strings.HasPrefix(encrypted[0], "TLSv1.") {
					t.Errorf("the connection uses %q", encrypted)
				}
				return
			}
			if d.Err() == nil || !strings.Contains(d.Err().Error(), c.why) || strings.Contains(d.Err().Error(), c.host) {
				t.Errorf("the reason is %v, want %q", d.Err(), c.why)
			}
			if text := log.String(); !strings.Contains(text, "x509: ") || strings.Contains(text, "hunter2") {
				t.Errorf("logged %s", text)
			}
		})
	}
}

// A server without TLS is refused, and not used without.
func TestPostgreSQL_RefusesAServerWithoutTLS(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			// The client asks for TLS in eight bytes, and N is no.
			_, _ = io.ReadFull(connection, make([]byte, 8))
			_, _ = io.WriteString(connection, "N")
			_ = connection.Close()
		}
	}()
	at := "postgres://keywright:x@" + listener.Addr().String() + "/keywright?sslmode=verify-full"
	d, err := database.Open(t.Context(), at, slog.New(slog.DiscardHandler))
	must(t, err)
	defer func() { must(t, d.Close()) }()
	if d.Err() == nil || !strings.Contains(d.Err().Error(), "refused TLS") {
		t.Errorf("the reason is %v", d.Err())
	}
}
