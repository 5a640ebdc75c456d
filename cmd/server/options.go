package main

import (
	"io"
	"os"
	"time"

	"keywright.dev/keywright/internal/program"
)

// options are the server's flags.
type options struct {
	program.Flags
	pepperDir       string
	listen          string
	metricsListen   string
	shutdownTimeout time.Duration
}

// parse reads the command line. Its errors wrap program.ErrUsage, but for --help, which is answered on stdout.
func parse(args []string, stdout io.Writer) (*options, error) {
	o := &options{}
	flags := program.NewFlagSet(programName, stdout)
	o.AddTo(flags)
	flags.StringVar(&o.pepperDir, "pepper-dir", "/etc/keywright/pepper", "where Secret keywright-pepper is mounted")
	flags.StringVar(&o.listen, "listen", ":8080", "where /auth, /healthz and /readyz are served")
	flags.StringVar(&o.metricsListen, "metrics-listen", ":9090", "where /metrics is served; 0 turns it off")
	flags.DurationVar(&o.shutdownTimeout, "shutdown-timeout", 20*time.Second, "how long requests under way may take when the server is stopped")
	if err := program.Parse(flags, args); err != nil {
		return nil, err
	}
	o.Complete(os.Getenv)
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return o, nil
}

// Validate changes nothing.
func (o *options) Validate() error {
	if err := o.Flags.Validate(); err != nil {
		return err
	}
	if o.shutdownTimeout < 0 {
		return program.Misused("--shutdown-timeout must not be negative")
	}
	return nil
}
