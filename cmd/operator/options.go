package main

import (
	"io"
	"os"

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

// parse reads the command line. Its errors wrap program.ErrUsage, but for --help, which is answered on stdout.
func parse(args []string, stdout io.Writer) (*options, error) {
	o := &options{}
	flags := program.NewFlagSet(programName, stdout)
	o.AddTo(flags)
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "where metrics are served; 0 turns them off")
	flags.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "where /healthz and /readyz are served; 0 turns them off")
	flags.BoolVar(&o.leaderElect, "leader-elect", false, "wait to be the leader: needed with more than one replica")
	flags.IntVar(&o.concurrency, "concurrency", 8, "how many objects of a kind are worked on at the same time")
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
	if o.concurrency < 1 {
		return program.Misused("--concurrency must be at least 1")
	}
	return nil
}
