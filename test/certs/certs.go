// Package certs makes certificates for tests, and puts them into files as a mounted Secret has them.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"testing"
	"time"

	"keywright.dev/keywright/test/stack"
)

// Authority signs certificates.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	// PEM is its own certificate, and Pool has it.
	PEM  []byte
	Pool *x509.CertPool
}

// Pair is a certificate and its key, for servers and clients.
type Pair struct {
	Certificate, Key []byte
	TLS              tls.Certificate
	Serial           string
}

// New returns an authority.
func New(tb testing.TB) *Authority {
	tb.Helper()
	key := newKey(tb)
	template := &x509.Certificate{
		SerialNumber: serial(tb), Subject: pkix.Name{CommonName: "authority " + rand.Text()},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	encoded, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(tb, err)
	a := &Authority{key: key, PEM: inPEM("CERTIFICATE", encoded), Pool: x509.NewCertPool()}
	a.certificate, err = x509.ParseCertificate(encoded)
	must(tb, err)
	a.Pool.AddCert(a.certificate)
	return a
}

// Issue returns a certificate for names and the loopback address that is valid until an instant.
func (a *Authority) Issue(tb testing.TB, until time.Time, names ...string) Pair {
	tb.Helper()
	key := newKey(tb)
	template := &x509.Certificate{
		SerialNumber: serial(tb), Subject: pkix.Name{CommonName: "test"}, DNSNames: names,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   time.Now().Add(-48 * time.Hour), NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	encoded, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	must(tb, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(tb, err)
	p := Pair{
		Certificate: inPEM("CERTIFICATE", encoded), Key: inPEM("PRIVATE KEY", private),
		Serial: template.SerialNumber.String(),
	}
	p.TLS, err = tls.X509KeyPair(p.Certificate, p.Key)
	must(tb, err)
	return p
}

// Lasting returns a certificate for names that outlives the test.
func (a *Authority) Lasting(tb testing.TB, names ...string) Pair {
	tb.Helper()
	return a.Issue(tb, time.Now().Add(24*time.Hour), names...)
}

// Mount is a folder like the kubelet's for a Secret.
type Mount struct{ Dir string }

// Mounted returns a folder with these files.
func Mounted(tb testing.TB, files map[string][]byte) Mount {
	tb.Helper()
	m := Mount{tb.TempDir()}
	m.Replace(tb, files)
	return m
}

// Replace replaces all files at once.
func (m Mount) Replace(tb testing.TB, files map[string][]byte) {
	tb.Helper()
	must(tb, stack.WriteMount(m.Dir, files))
}

// File returns the path of a file.
func (m Mount) File(name string) string { return filepath.Join(m.Dir, name) }

// Files are the entries of a Secret of type kubernetes.io/tls.
func (p Pair) Files() map[string][]byte {
	return map[string][]byte{"tls.crt": p.Certificate, "tls.key": p.Key}
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(tb, err)
	return key
}

func serial(tb testing.TB) *big.Int {
	tb.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	must(tb, err)
	return n.Add(n, big.NewInt(1))
}

func inPEM(kind string, content []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
