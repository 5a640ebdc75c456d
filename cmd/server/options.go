package main

import (
	"io"
	"time"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/gate/reverseproxy"
	"keywright.dev/keywright/internal/program"
	"keywright.dev/keywright/internal/telemetry/traces/otlp"
)

// databaseVariable is the environment variable for the database URL: a password should not be in a flag.
const databaseVariable = "KEYWRIGHT_DATABASE_URL"

// pricesFileVariable is the environment variable for --prices-file.
const pricesFileVariable = "KEYWRIGHT_PRICES_FILE"

// options are the server's flags.
type options struct {
	program.Flags
	pepperDir string
	// pricesFile is empty without --prices-file.
	pricesFile     string
	listen         string
	metricsListen  string
	extAuthzListen string
	proxyListen    string
	// upstream is nil without --upstream.
	upstream        *reverseproxy.Upstream
	shutdownTimeout time.Duration
	// databaseWait is how long a new replica waits for its database.
	databaseWait time.Duration
	// certFile and keyFile are empty without TLS, and clientCAFile where clients need no certificate.
	certFile, keyFile, clientCAFile string
	// spans is nil unless the variables of OpenTelemetry turn traces on.
	spans *otlp.Sender
	// database is a URL that may hold a password. It is never printed.
	database string
}

// parse parses the command line. Its errors wrap program.ErrUsage, except for --help, which prints to stdout.
func parse(args []string, stdout io.Writer) (*options, error) {
	o := &options{}
	flags := program.NewFlagSet(programName, stdout)
	o.AddTo(flags)
	flags.StringVar(&o.pepperDir, "pepper-dir", "/etc/keywright/pepper", "where Secret keywright-pepper is mounted")
	flags.StringVar(
		&o.pricesFile, "prices-file", "", "a file with prices of AI models, of LiteLLM, models.dev or as in setting "+
			"PRICES; default: $"+pricesFileVariable+", or none",
	)
	flags.StringVar(
		&o.listen, "listen", ":8080",
		"where the gate's /auth and /introspect, the management API, /healthz and /readyz are served",
	)
	flags.StringVar(&o.metricsListen, "metrics-listen", ":9090", "where /metrics is served; 0 turns it off")
	flags.StringVar(
		&o.extAuthzListen, "ext-authz-listen", ":9001", "where Envoy's ext_authz is served by gRPC; 0 turns it off",
	)
	upstream := flags.String("upstream", "",
		"URL of an app to be a reverse proxy for; h2c:// is HTTP/2 without TLS; default: none")
	flags.StringVar(&o.proxyListen, "proxy-listen", ":8000", "where the reverse proxy for --upstream is served")
	flags.StringVar(
		&o.database, "database", "",
		"where sessions, the audit trail and last uses are kept: a postgres:// URL, or the path of a SQLite "+
			"file; default: $"+databaseVariable+", or "+database.DefaultPath,
	)
	flags.DurationVar(
		&o.databaseWait, "database-wait", 2*time.Minute,
		"how long a new server without its database is not ready; longer while another one has its database; 0: not at all",
	)
	flags.DurationVar(
		&o.shutdownTimeout, "shutdown-timeout", 20*time.Second,
		"how long requests under way may take when the server is stopped",
	)
	o.addTLS(flags)
	if err := program.Parse(flags, args); err != nil {
		return nil, err
	}
	if err := o.completeTLS(flags); err != nil {
		return nil, err
	}
	if err := o.complete(*upstream); err != nil {
		return nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return o, nil
}

// complete sets what the environment has.
func (o *options) complete(upstream string) (err error) {
	o.Complete(program.Getenv)
	if o.database, err = program.LineOr("database", o.database, databaseVariable); err != nil {
		return err
	}
	if o.pricesFile, err = program.LineOr("prices-file", o.pricesFile, pricesFileVariable); err != nil {
		return err
	}
	return o.setUpstream(upstream)
}

// setUpstream does not repeat the URL in its error, as the flag parser would: the URL may hold a password.
func (o *options) setUpstream(raw string) error {
	if raw == "" {
		return nil
	}
	upstream, err := reverseproxy.ParseUpstream(program.OneLine(raw))
	if err != nil {
		return program.Misused("--upstream: %v", err)
	}
	o.upstream = upstream
	return nil
}

// Validate checks the flags together.
func (o *options) Validate() error {
	if err := o.Flags.Validate(); err != nil {
		return err
	}
	if o.databaseWait < 0 {
		return program.Misused("--database-wait must not be negative")
	}
	if o.shutdownTimeout < 0 {
		return program.Misused("--shutdown-timeout must not be negative")
	}
	return nil
}
