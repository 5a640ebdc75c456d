package certfiles

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"keywright.dev/keywright/internal/program"
)

// interval is how often the files are checked.
const interval = 5 * time.Second

// Options say which files to follow.
type Options struct {
	CertFile, KeyFile string
	// ClientCAFile has the authorities of client certificates. Empty: clients are not asked for one.
	ClientCAFile string
	Now          func() time.Time
	Log          *slog.Logger
}

// Files are the files in use. Check and Run must not be called at the same time.
type Files struct {
	Options
	parts []*part
	// certificate is the one in use, and clientCAs are the authorities. clientCAs is nil without ClientCAFile.
	certificate atomic.Pointer[tls.Certificate]
	clientCAs   atomic.Pointer[x509.CertPool]
	// ended is the certificate whose end was logged.
	ended *tls.Certificate
}

// Open reads the files. Its errors name the file and never repeat its content.
func Open(o Options) (*Files, error) {
	f := &Files{Options: o}
	f.parts = []*part{{what: "certificate", files: []string{o.CertFile, o.KeyFile}, use: f.useCertificate}}
	if o.ClientCAFile != "" {
		f.parts = append(f.parts, &part{
			what: "authorities of client certificates", files: []string{o.ClientCAFile}, use: f.useClientCAs,
		})
	}
	for _, p := range f.parts {
		if _, err := p.load(); err != nil {
			return nil, err
		}
	}
	f.reportEnd()
	return f, nil
}

// Run checks the files until ctx ends. It polls for the same reasons as peppermount.
func (f *Files) Run(ctx context.Context) {
	for program.Pause(ctx, interval) {
		f.Check()
	}
}

// Check uses what has changed. Unusable files change nothing and are logged once.
func (f *Files) Check() {
	for _, p := range f.parts {
		changed, err := p.load()
		switch {
		case p.report(err):
			f.Log.Error("Changed files can't be used: what they had before stays in use", "of", p.what, "error", err)
		case err == nil && changed:
			f.Log.Info("Changed files are in use", "of", p.what, "files", strings.Join(p.files, ", "), "end", f.End())
		}
	}
	f.reportEnd()
}

// End returns when the certificate ends.
func (f *Files) End() time.Time { return f.certificate.Load().Leaf.NotAfter }

// Refused returns why changed files are not in use, or nil.
func (f *Files) Refused() error {
	for _, p := range f.parts {
		if fault := p.fault.Load(); fault != nil {
			return *fault
		}
	}
	return nil
}

// Ended reports whether the certificate has ended.
func (f *Files) Ended() bool { return !f.Now().Before(f.End()) }

// reportEnd logs once that the certificate in use has ended. It stays in use: a client that checks it refuses the
// server, and one that does not would get no answer at all.
func (f *Files) reportEnd() {
	if current := f.certificate.Load(); f.Ended() && f.ended != current {
		f.ended = current
		f.Log.Warn("The certificate has ended: clients that check it refuse the server", "file", f.CertFile, "end", f.End())
	}
}

// Config returns the configuration of a listener for some protocols, the preferred one first. clients says what becomes
// of client certificates where there is a ClientCAFile. Each connection gets what is in use when it begins.
func (f *Files) Config(clients tls.ClientAuthType, protocols ...string) *tls.Config {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: protocols,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.certificate.Load(), nil },
	}
	if f.ClientCAFile == "" || clients == tls.NoClientCert {
		return config
	}
	config.ClientAuth = clients
	perConnection := config.Clone()
	perConnection.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		current := config.Clone()
		current.ClientCAs = f.clientCAs.Load()
		return current, nil
	}
	return perConnection
}

func (f *Files) useCertificate(contents [][]byte) error {
	chain, key := contents[0], contents[1]
	if _, err := certificates(chain); err != nil {
		return fmt.Errorf("%s: %w", f.CertFile, err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return fmt.Errorf("%s and %s are not a certificate and its key: %w", f.CertFile, f.KeyFile, err)
	}
	f.certificate.Store(&pair)
	return nil
}

func (f *Files) useClientCAs(contents [][]byte) error {
	all, err := certificates(contents[0])
	if err != nil {
		return fmt.Errorf("%s: %w", f.ClientCAFile, err)
	}
	pool := x509.NewCertPool()
	for _, one := range all {
		pool.AddCert(one)
	}
	f.clientCAs.Store(pool)
	return nil
}
