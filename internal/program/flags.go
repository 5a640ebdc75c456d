package program

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
)

const defaultNamespace = "keywright-system"

// Flags are the common flags.
type Flags struct {
	// Kubeconfig is a path; for an empty one see kubeconfig.Load.
	Kubeconfig string
	// Namespace is the system namespace.
	Namespace string
	// KeyNamespaces are the namespaces whose APIKeys count; nil means all.
	KeyNamespaces []string
	// LogLevel is debug, info, warn or error.
	LogLevel string
	// Version makes the program print its version and exit.
	Version bool
}

var logLevels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

// NewFlagSet returns an empty set, which prints --help to stdout.
func NewFlagSet(name string, stdout io.Writer) *pflag.FlagSet {
	set := pflag.NewFlagSet(name, pflag.ContinueOnError)
	set.SetOutput(stdout)
	set.Usage = func() { fmt.Fprintf(stdout, "Usage: %s [flags]\n\n%s", name, set.FlagUsages()) }
	return set
}

// AddTo adds the flags to a set.
func (f *Flags) AddTo(set *pflag.FlagSet) {
	set.StringVar(&f.Kubeconfig, "kubeconfig", "",
		"path of a kubeconfig; default: the Pod's own identity, or $KUBECONFIG outside a cluster")
	set.StringVar(&f.Namespace, "namespace", "",
		"Keywright's own namespace; default: $POD_NAMESPACE, or "+defaultNamespace)
	set.Func("namespaces", "the namespaces whose APIKeys count, separated by commas; default: all", f.setNamespaces)
	set.StringVar(&f.LogLevel, "log-level", "info", "debug, info, warn or error")
	set.BoolVar(&f.Version, "version", false, "print the version and exit")
}

// setNamespaces keeps empty names for Validate to reject: an accidentally empty list must not mean all
// namespaces.
func (f *Flags) setNamespaces(list string) error {
	f.KeyNamespaces = strings.Split(OneLine(list), ",")
	return nil
}

func validateNamespaces(names []string) error {
	for i, name := range names {
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			return Misused("--namespaces %q: %s", name, strings.Join(problems, "; "))
		}
		if slices.Contains(names[:i], name) {
			return Misused("--namespaces names %q twice", name)
		}
	}
	return nil
}

// Parse parses a command line of flags only. Its errors wrap ErrUsage, except pflag.ErrHelp.
func Parse(set *pflag.FlagSet, args []string) error {
	err := set.Parse(args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUsage, err)
	case set.NArg() > 0:
		return Misused("unexpected argument %q", set.Arg(0))
	}
	return nil
}

// Misused returns an error that wraps ErrUsage.
func Misused(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUsage, fmt.Sprintf(format, args...))
}

// Complete sets defaults.
func (f *Flags) Complete(getenv func(string) string) {
	if f.Namespace == "" {
		f.Namespace = getenv("POD_NAMESPACE")
	}
	if f.Namespace == "" {
		f.Namespace = defaultNamespace
	}
}

// Validate checks the values.
func (f *Flags) Validate() error {
	if _, known := logLevels[f.LogLevel]; !known {
		return Misused("--log-level %q is not one of debug, info, warn, error", f.LogLevel)
	}
	if problems := validation.IsDNS1123Label(f.Namespace); len(problems) > 0 {
		return Misused("--namespace %q: %s", f.Namespace, strings.Join(problems, "; "))
	}
	return validateNamespaces(f.KeyNamespaces)
}

// LogHandler returns a handler that writes JSON lines at the chosen level.
func (f *Flags) LogHandler(w io.Writer) slog.Handler {
	return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: logLevels[f.LogLevel]})
}

// PrintVersion prints the name and version of a program.
func PrintVersion(stdout io.Writer, name, version string) error {
	_, err := fmt.Fprintln(stdout, name, version)
	return err
}
