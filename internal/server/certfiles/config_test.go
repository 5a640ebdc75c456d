package certfiles_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"keywright.dev/keywright/test/certs"
)

const (
	optional = tls.VerifyClientCertIfGiven
	mutual   = tls.RequireAndVerifyClientCert
)

// clientOf returns the configuration of a client, with a certificate unless that is nil.
func (f *fixture) clientOf(own *certs.Pair) *tls.Config {
	c := &tls.Config{RootCAs: f.authority.Pool, ServerName: host, MinVersion: tls.VersionTLS12}
	if own != nil {
		// Sent even if the server names other authorities.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own.TLS, nil }
	}
	return c
}

// shake makes a handshake with a listener, and returns the first error of either side.
func (f *fixture) shake(t *testing.T, clients tls.ClientAuthType, own *certs.Pair) error {
	t.Helper()
	_, err := connect(t, f.files.Config(clients, "h2"), f.clientOf(own))
	return err
}

// connect makes a handshake, and sends a byte each way: with TLS 1.3 a client learns of a refusal, and gets the ticket
// for its next connection, after its handshake only.
func connect(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", server)
	must(t, err)
	defer func() { _ = listener.Close() }()
	served := make(chan error, 1)
	go func() {
		served <- func() error {
			connection, err := listener.Accept()
			if err != nil {
				return err
			}
			defer func() { _ = connection.Close() }()
			_, err = io.CopyN(connection, connection, 1)
			return err
		}()
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	connection, err := (&tls.Dialer{Config: client}).DialContext(ctx, "tcp", listener.Addr().String())
	if err != nil {
		return tls.ConnectionState{}, errors.Join(err, <-served)
	}
	defer func() { _ = connection.Close() }()
	_, err = connection.Write([]byte("x"))
	_, err2 := io.ReadFull(connection, make([]byte, 1))
	return connection.(*tls.Conn).ConnectionState(), errors.Join(err, err2, <-served)
}

// serial returns that of the certificate in use. The client accepts ended ones.
func (f *fixture) serial(t *testing.T) string {
	t.Helper()
	client := f.clientOf(nil)
	client.Time = func() time.Time { return f.pair.TLS.Leaf.NotAfter.Add(-time.Minute) }
	state, err := connect(t, f.files.Config(tls.NoClientCert, "h2"), client)
	must(t, err)
	return state.PeerCertificates[0].SerialNumber.String()
}

func TestConfig_VersionsAndProtocols(t *testing.T) {
	f := newFixture(t)
	server := f.files.Config(optional, "h2", "http/1.1")
	for _, c := range []struct {
		most      uint16
		protocols []string
		want      string
	}{
		{tls.VersionTLS13, []string{"h2", "http/1.1"}, "h2"}, {tls.VersionTLS12, []string{"http/1.1"}, "http/1.1"},
		{tls.VersionTLS13, nil, ""},
	} {
		client := f.clientOf(nil)
		client.MaxVersion, client.NextProtos = c.most, c.protocols
		state, err := connect(t, server, client)
		if err != nil || state.Version != c.most || state.NegotiatedProtocol != c.want {
			t.Errorf("%x: %x, %q, %v", c.most, state.Version, state.NegotiatedProtocol, err)
		}
	}
	old := f.clientOf(nil)
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if _, err := connect(t, server, old); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: %v", err)
	}
}

func TestConfig_ClientCertificates(t *testing.T) {
	f := newFixture(t)
	good, ended := f.clients.Lasting(t), f.clients.Issue(t, time.Now().Add(-time.Hour))
	foreign, self := certs.New(t).Lasting(t), f.authority.Lasting(t)
	never, always := []tls.ClientAuthType{tls.NoClientCert}, []tls.ClientAuthType{tls.NoClientCert, optional, mutual}
	for name, c := range map[string]struct {
		own  *certs.Pair
		pass []tls.ClientAuthType
	}{
		"none":                 {nil, []tls.ClientAuthType{tls.NoClientCert, optional}},
		"of the authority":     {&good, always},
		"ended":                {&ended, never},
		"of another authority": {&foreign, never},
		"of the server's own":  {&self, never},
	} {
		for _, mode := range []tls.ClientAuthType{tls.NoClientCert, optional, mutual} {
			if err := f.shake(t, mode, c.own); (err == nil) != slices.Contains(c.pass, mode) {
				t.Errorf("%s, %s: %v", name, mode, err)
			}
		}
	}
}

// A resumed session does not get around authorities that were replaced.
func TestConfig_ReplacedAuthoritiesEndSessions(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		f := newFixture(t)
		own := f.clients.Lasting(t)
		client := f.clientOf(&own)
		client.MaxVersion, client.ClientSessionCache = version, tls.NewLRUClientSessionCache(1)
		server := f.files.Config(mutual, "h2")
		for _, resumed := range []bool{false, true} {
			state, err := connect(t, server, client)
			must(t, err)
			if state.DidResume != resumed {
				t.Errorf("%x: resumed: %t, want %t", version, state.DidResume, resumed)
			}
		}
		f.clients = certs.New(t)
		f.replace(t)
		f.files.Check()
		if _, err := connect(t, server, client); err == nil {
			t.Errorf("%x: a client of the authority of before connects", version)
		}
	}
}

// Requests go on over open and new connections while the certificate is replaced again and again.
func TestConfig_RotationLosesNoRequest(t *testing.T) {
	f := newFixture(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server := &http.Server{
		TLSConfig: f.files.Config(optional, "h2", "http/1.1"), ReadHeaderTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }),
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	defer func() { _ = server.Close() }()

	var stop atomic.Bool
	var seen sync.Map
	var working sync.WaitGroup
	var replies [4]chan struct{}
	for i := range replies {
		replies[i] = make(chan struct{}, 1)
		working.Go(func() {
			defer close(replies[i])
			transport := &http.Transport{
				TLSClientConfig: f.clientOf(nil), DisableKeepAlives: i%2 == 0, ForceAttemptHTTP2: i > 1,
			}
			defer transport.CloseIdleConnections()
			for !stop.Load() {
				leaf, err := ask(transport, "https://"+listener.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				seen.Store(leaf.SerialNumber.String(), true)
				select {
				case replies[i] <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 10 {
		// One reply may be from before. A request that begins after it sees the certificate in use, on a new connection.
		for _, replied := range replies {
			for range 3 {
				<-replied
			}
		}
		f.pair = f.authority.Lasting(t, host)
		f.replace(t)
		f.files.Check()
	}
	stop.Store(true)
	working.Wait()
	certificates := 0
	seen.Range(func(any, any) bool { certificates++; return true })
	if certificates < 10 {
		t.Errorf("the clients saw %d certificates", certificates)
	}
}

func ask(transport *http.Transport, url string) (*x509.Certificate, error) {
	reply, err := (&http.Client{Transport: transport}).Get(url)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, reply.Body)
	return reply.TLS.PeerCertificates[0], errors.Join(err, reply.Body.Close())
}
