package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
)

// options are the server's flags.
type options struct {
	kubeconfig      string
	namespace       string
	pepperDir       string
	listen          string
	metricsListen   string
	shutdownTimeout time.Duration
	logLevel        string
	version         bool
}

var logLevels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "error": slog.LevelError}

// parse reads the command line. Its errors wrap errUsage, but for --help, which is answered on stdout.
func parse(args []string, stdout io.Writer) (*options, error) {
	o := &options{}
	flags := pflag.NewFlagSet("keywright-server", pflag.ContinueOnError)
	flags.SetOutput(stdout)
	flags.Usage = func() { fmt.Fprintf(stdout, "Usage: keywright-server [flags]\n\n%s", flags.FlagUsages()) }
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "path of a kubeconfig; default: the Pod's own identity, or $KUBECONFIG outside a cluster")
	flags.StringVar(&o.namespace, "namespace", "", "Keywright's own namespace; default: $POD_NAMESPACE, or keywright-system")
	flags.StringVar(&o.pepperDir, "pepper-dir", "/etc/keywright/pepper", "where Secret keywright-pepper is mounted")
	flags.StringVar(&o.listen, "listen", ":8080", "where /auth, /healthz and /readyz are served")
	flags.StringVar(&o.metricsListen, "metrics-listen", ":9090", "where /metrics is served; 0 turns it off")
	flags.DurationVar(&o.shutdownTimeout, "shutdown-timeout", 20*time.Second, "how long requests under way may take when the server is stopped")
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
	if o.shutdownTimeout < 0 {
		return fmt.Errorf("%w: --shutdown-timeout must not be negative", errUsage)
	}
	return nil
}
