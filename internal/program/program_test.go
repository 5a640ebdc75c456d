package program_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/pflag"

	"keywright.dev/keywright/internal/program"
)

func TestExitCode(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		code int
		line string
	}{
		"all well":      {nil, 0, ""},
		"help":          {fmt.Errorf("parsing: %w", pflag.ErrHelp), 0, ""},
		"usage":         {program.Misused("--at %q", "x"), 2, "keywright-x: usage: --at \"x\" (see --help)\n"},
		"failure":       {errors.New("no pepper"), 1, "keywright-x: no pepper\n"},
		"several lines": {errors.Join(errors.New("line 1"), errors.New("\tline 2")), 1, "keywright-x: line 1 line 2\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			if code := program.ExitCode("keywright-x", c.err, &stderr); code != c.code || stderr.String() != c.line {
				t.Errorf("%d, %q", code, stderr.String())
			}
		})
	}
}

// parse parses a command line like a program without other flags.
func parse(podNamespace string, args ...string) (flags program.Flags, stdout string, err error) {
	var out bytes.Buffer
	set := program.NewFlagSet("keywright-x", &out)
	flags.AddTo(set)
	if err := program.Parse(set, args); err != nil {
		return flags, out.String(), err
	}
	flags.Complete(func(name string) string { return map[string]string{"POD_NAMESPACE": podNamespace}[name] })
	err = flags.Validate()
	return flags, out.String(), err
}

func TestFlags_Complete(t *testing.T) {
	for name, c := range map[string]struct {
		podNamespace string
		args         []string
		want         program.Flags
	}{
		"defaults": {"", nil, program.Flags{Namespace: "keywright-system", LogLevel: "info"}},
		"in a Pod": {"its-own", nil, program.Flags{Namespace: "its-own", LogLevel: "info"}},
		"all flags": {
			"its-own", []string{"--kubeconfig=k", "--namespace=ns", "--log-level=debug", "--version"},
			program.Flags{Kubeconfig: "k", Namespace: "ns", LogLevel: "debug", Version: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _, err := parse(c.podNamespace, c.args...); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestParse_WrongUsage(t *testing.T) {
	for part, args := range map[string][]string{
		"unknown flag: --nope":          {"--nope"},
		`unexpected argument "serve"`:   {"serve"},
		`--log-level "trace" is not`:    {"--log-level=trace"},
		`--namespace "A b": a lower`:    {"--namespace=A b"},
		"flag needs an argument: --nam": {"--namespace"},
	} {
		_, stdout, err := parse("", args...)
		if !errors.Is(err, program.ErrUsage) || !strings.Contains(err.Error(), part) || stdout != "" {
			t.Errorf("%v: got %v, and %q on stdout", args, err, stdout)
		}
	}
}

func TestParse_PrintsHelpToStdout(t *testing.T) {
	_, stdout, err := parse("", "--help")
	isUsage := strings.HasPrefix(stdout, "Usage: keywright-x [flags]\n\n") && strings.Contains(stdout, "--log-level")
	if !errors.Is(err, pflag.ErrHelp) || !isUsage {
		t.Errorf("got %v and %q", err, stdout)
	}
}

func TestLogHandler_FollowsLevel(t *testing.T) {
	for level, want := range map[string]int{"debug": 4, "info": 3, "warn": 2, "error": 1} {
		var out bytes.Buffer
		log := slog.New((&program.Flags{LogLevel: level}).LogHandler(&out))
		log.Debug("one")
		log.Info("two")
		log.Warn("three")
		log.Error("four")
		if got := strings.Count(out.String(), "\n"); got != want {
			t.Errorf("%s: %d lines, want %d", level, got, want)
		}
	}
}

func TestPause_EndsWithTimeOrContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		if !program.Pause(t.Context(), time.Hour) || time.Since(started) != time.Hour {
			t.Errorf("a pause of an hour took %s", time.Since(started))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		started = time.Now()
		if program.Pause(ctx, time.Hour) || time.Since(started) != time.Minute {
			t.Errorf("a pause that was cut after a minute took %s", time.Since(started))
		}
	})
}
