package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/pflag"

	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/program"
	"keywright.dev/keywright/internal/server/certfiles"
)

// Flags of TLS.
const (
	certFileFlag     = "tls-cert-file"
	keyFileFlag      = "tls-key-file"
	clientCAFileFlag = "client-ca-file"
)

func (o *options) addTLS(flags *pflag.FlagSet) {
	flags.StringVar(&o.certFile, certFileFlag, "",
		"the certificate of the server, in PEM, with its intermediates; default: no TLS")
	flags.StringVar(&o.keyFile, keyFileFlag, "", "the key of that certificate")
	flags.StringVar(&o.clientCAFile, clientCAFileFlag, "",
		"authorities of the certificates that gateways need for /auth, /introspect and ext_authz; default: they need none")
}

// completeTLS checks the flags of TLS together. One that is given and blank is an error: its value was lost on the way,
// and the server must not serve without TLS for that.
func (o *options) completeTLS(flags *pflag.FlagSet) error {
	for name, value := range map[string]*string{
		certFileFlag: &o.certFile, keyFileFlag: &o.keyFile, clientCAFileFlag: &o.clientCAFile,
	} {
		*value = program.OneLine(*value)
		if flags.Changed(name) && *value == "" {
			return program.Misused("--%s is blank", name)
		}
	}
	switch {
	case (o.certFile == "") != (o.keyFile == ""):
		return program.Misused("--%s and --%s need each other", certFileFlag, keyFileFlag)
	case o.clientCAFile != "" && o.certFile == "":
		return program.Misused("--%s needs --%s and --%s", clientCAFileFlag, certFileFlag, keyFileFlag)
	}
	return nil
}

// openCertificates reads the files of TLS, if flags name them, and adds their metrics and their line in /readyz.
func (s *service) openCertificates(o *options, log *slog.Logger) error {
	if o.certFile == "" {
		return nil
	}
	files, err := certfiles.Open(certfiles.Options{
		CertFile: o.certFile, KeyFile: o.keyFile, ClientCAFile: o.clientCAFile, Now: time.Now, Log: log,
	})
	if err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	s.certificates = files
	s.ready.checks = append(s.ready.checks, certificateCheck(files))
	s.registerTLSMetrics(files)
	return nil
}

// registerTLSMetrics registers the metrics of the certificate.
func (s *service) registerTLSMetrics(files *certfiles.Files) {
	s.metrics.MustRegister(
		gauge("keywright_tls_certificate_end_seconds", "When the certificate of the server ends, in seconds since 1970. "+
			"Absent without TLS.", func() float64 { return float64(files.End().Unix()) }),
		gauge("keywright_tls_refused", "1 when changed files of TLS can't be used and the previous ones stay, else 0. "+
			"Absent without TLS.", func() float64 {
			if files.Refused() != nil {
				return 1
			}
			return 0
		}),
	)
}

// certificateCheck never fails: without this server everything would be refused. Its note has the end of the
// certificate.
func certificateCheck(files *certfiles.Files) check {
	return check{"certificate", func() error { return nil }, func() string {
		end := files.End().UTC().Format(time.RFC3339)
		switch err := files.Refused(); {
		case files.Ended():
			return ", but it ended at " + end
		case err != nil:
			return fmt.Sprintf(", until %s, but changed files can't be used: %v", end, err)
		}
		return ", until " + end
	}}
}

// followCertificates follows the files of TLS until ctx ends.
func (s *service) followCertificates(ctx context.Context) {
	if s.certificates != nil {
		s.certificates.Run(ctx)
	}
}

// tls returns the configuration of a listener, or nil without TLS.
func (s *service) tls(clients tls.ClientAuthType, protocols ...string) *tls.Config {
	if s.certificates == nil {
		return nil
	}
	return s.certificates.Config(clients, protocols...)
}

// secured is an http.Server that serves its TLSConfig.
type secured struct{ *http.Server }

// Serve is part of server.
func (s secured) Serve(l net.Listener) error { return s.ServeTLS(l, "", "") }

// over returns a server that uses TLS, unless config is nil.
func over(config *tls.Config, plain *http.Server) server {
	if config == nil {
		return plain
	}
	plain.TLSConfig = config
	return secured{plain}
}

// requireClientCertificate refuses requests without a client certificate if the server is configured to require one.
// TLS has verified a certificate that is there. The log names the path of the surface, not that of the app's request.
func (s *service) requireClientCertificate(path string, next http.Handler, log *slog.Logger) http.Handler {
	if s.certificates == nil || s.certificates.ClientCAFile == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
			log.Warn("A request without a client certificate was refused", "path", path, "peer", r.RemoteAddr)
			gate.NoClientCertificate.Answer(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}
