package main

import (
	"io"

	"keywright.dev/keywright/internal/program"
)

// options are the operator's flags.
type options struct {
	program.Flags
	metricsAddress string
	probeAddress   string
	leaderElect    bool
	concurrency    int
}

// parse parses the command line. --help is printed to stdout. Any other error wraps program.ErrUsage.
func parse(args []string, stdout io.Writer) (*options, error) {
	o := &options{}
	flags := program.NewFlagSet(programName, stdout)
	o.AddTo(flags)
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "address that serves metrics; 0 turns them off")
	flags.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081",
		"address that serves /healthz and /readyz; 0 turns them off")
	flags.BoolVar(&o.leaderElect, "leader-elect", false,
		"act only as the elected leader: required for more than one replica")
	flags.IntVar(&o.concurrency, "concurrency", 8, "how many objects of a kind are reconciled at the same time")
	if err := program.Parse(flags, args); err != nil {
		return nil, err
	}
	o.Complete(program.Getenv)
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return o, nil
}

// Validate reports the first invalid option.
func (o *options) Validate() error {
	if err := o.Flags.Validate(); err != nil {
		return err
	}
	if o.concurrency < 1 {
		return program.Misused("--concurrency must be at least 1")
	}
	return nil
}
