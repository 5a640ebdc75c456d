package stack

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// newTestProcess returns a shell script as a Process. A server of the test answers for its readiness.
func newTestProcess(t *testing.T, script string, ready http.HandlerFunc) *Process {
	t.Helper()
	options, _, err := Options{Dir: t.TempDir()}.complete()
	if err != nil {
		t.Fatal(err)
	}
	plane := &ControlPlane{Dir: options.Dir}
	t.Cleanup(func() { _ = plane.Stop() })
	if plane.leash, err = newLeash(plane.run()); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(options.Dir, "program")
	writeFile(t, program, "#!/bin/sh\n"+script, 0o700)
	probe := httptest.NewServer(ready)
	t.Cleanup(probe.Close)
	p, err := plane.NewProcess("program", program, probe.URL, "flag")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func isReady(http.ResponseWriter, *http.Request) {}

func isNotReady(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusServiceUnavailable)
}

func TestProcess_StartWaitsUntilReady(t *testing.T) {
	var asked atomic.Int32
	p := newTestProcess(t, "exec sleep 1000", func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) < 3 {
			isNotReady(w, r)
		}
	})
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if asked.Load() != 3 {
		t.Errorf("asked %d times", asked.Load())
	}
	if err := p.Start(t.Context()); err == nil {
		t.Error("started twice at once")
	}
}

func TestProcess_StartReportsExit(t *testing.T) {
	p := newTestProcess(t, "echo no $1 >&2; exit 3", isNotReady)
	err := p.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "no flag") {
		t.Errorf("got %v, want the exit status and the log", err)
	}
}

func TestProcess_StopSendsSIGTERM(t *testing.T) {
	p := newTestProcess(t, "trap 'echo going; exit 0' TERM; echo up; while :; do sleep 0.01; done", isReady)
	startWhenLogged(t, p, "up")
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if logs, _ := p.Logs(); !strings.HasSuffix(logs, "going\n") {
		t.Errorf("log: %q", logs)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("stopping a stopped process: %v", err)
	}
}

func TestProcess_StopReportsExitStatus(t *testing.T) {
	p := newTestProcess(t, "trap 'exit 7' TERM; echo up; while :; do sleep 0.01; done", isReady)
	startWhenLogged(t, p, "up")
	if err := p.Stop(); err == nil || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("got %v, want the exit status", err)
	}
}

func TestProcess_KillGivesNoChanceToCleanUp(t *testing.T) {
	p := newTestProcess(t, "trap '' TERM; echo up; while :; do sleep 0.01; done", isReady)
	startWhenLogged(t, p, "up")
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done():
	default:
		t.Error("Done is open after Kill")
	}
}

func TestProcess_RestartAppendsToLog(t *testing.T) {
	p := newTestProcess(t, "trap 'echo going; exit 0' TERM; echo up; while :; do sleep 0.01; done", isReady)
	startWhenLogged(t, p, "up")
	if err := p.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitLog(t, p, "going\nup\n")
}

// startWhenLogged starts p and returns when its log contains text: p has set its traps by then.
func startWhenLogged(t *testing.T, p *Process, text string) {
	t.Helper()
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitLog(t, p, text)
}

func awaitLog(t *testing.T, p *Process, text string) {
	t.Helper()
	err := poll(t.Context(), func(context.Context) error {
		logs, err := p.Logs()
		if err == nil && !strings.Contains(logs, text) {
			err = fmt.Errorf("log: %q", logs)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
