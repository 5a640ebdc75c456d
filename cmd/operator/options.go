package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
)

// options are the operator's flags.
type options struct {
	kubeconfig     string
	namespace      string
	metricsAddress string
	probeAddress   string
	leaderElect    bool
	concurrency    int
	logLevel       string
	version        bool
}

// parse reads the command line. Its errors wrap errUsage, but for --help, which is answered on stdout.
func parse(args []string, stdout io.Writer) (*options, error) {
	o := &options{}
	flags := pflag.NewFlagSet("keywright-operator", pflag.ContinueOnError)
	flags.SetOutput(stdout)
	flags.Usage = func() { fmt.Fprintf(stdout, "Usage: keywright-operator [flags]\n\n%s", flags.FlagUsages()) }
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "path of a kubeconfig; default: the Pod's own identity, or $KUBECONFIG outside a cluster")
	flags.StringVar(&o.namespace, "namespace", "", "Keywright's own namespace; default: $POD_NAMESPACE, or keywright-system")
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "where metrics are served; 0 turns them off")
	flags.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "where /healthz and /readyz are served; 0 turns them off")
	flags.BoolVar(&o.leaderElect, "leader-elect", false, "wait to be the leader: needed with more than one replica")
	flags.IntVar(&o.concurrency, "concurrency", 8, "how many AdminUsers are worked on at the same time")
	flags.StringVar(&o.logLevel, "log-level", "info", "debug, info or error")
	flags.BoolVar(&o.version, "version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	if rest := flags.Args(); len(rest) > 0 {
		return nil, fmt.Errorf("%w: unexpected argument %q", errUsage, rest[0])
	}
	o.complete(os.Getenv)
	if err := o.validate(); err != nil {
		return nil, err
	}
	return o, nil
}

// complete fills in what was not given.
func (o *options) complete(getenv func(string) string) {
	if o.namespace == "" {
		o.namespace = getenv("POD_NAMESPACE")
	}
	if o.namespace == "" {
		o.namespace = "keywright-system"
	}
}

// validate changes nothing.
func (o *options) validate() error {
	if _, known := logLevels[o.logLevel]; !known {
		return fmt.Errorf("%w: --log-level %q is not one of debug, info, error", errUsage, o.logLevel)
	}
	if problems := validation.IsDNS1123Label(o.namespace); len(problems) > 0 {
		return fmt.Errorf("%w: --namespace %q: %s", errUsage, o.namespace, strings.Join(problems, "; "))
	}
	if o.concurrency < 1 {
		return fmt.Errorf("%w: --concurrency must be at least 1", errUsage)
	}
	return nil
}
