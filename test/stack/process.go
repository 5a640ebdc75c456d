package stack

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// stopGrace is the time a process has to end after SIGTERM. It is longer than the server's --shutdown-timeout.
const stopGrace = 25 * time.Second

// Process is a program of Keywright as a child process, in its own process group, with its output in a file. Only
// Done is safe for concurrent use.
type Process struct {
	// Name is operator, server, or server-2 and so on.
	Name string
	// ReadyURL answers 200 when the process is ready.
	ReadyURL string
	// LogFile gets stdout and stderr. Every start appends to it.
	LogFile string
	// Env is added as NAME=value to the environment of the next start.
	Env []string

	script string
	args   []string
	log    *os.File
	// child is the last one started.
	child *child
}

// child is one life of a Process.
type child struct {
	cmd *exec.Cmd
	// ended is closed when the child has ended. exit is its result from then on.
	ended chan struct{}
	exit  error
}

// NewProcess describes the program at path; Start runs it, and it ends with the stack at the latest. The answer of
// readyURL is 200 when it is ready.
func (c *ControlPlane) NewProcess(name, path, readyURL string, args ...string) (*Process, error) {
	script, log, err := c.program(name, path)
	if err != nil {
		return nil, err
	}
	p := &Process{Name: name, ReadyURL: readyURL, LogFile: c.LogFile(name), script: script, log: log, args: args}
	c.onStop(p.Stop)
	return p, nil
}

// Start runs the process and returns when it is ready or has ended, or when ctx has. The process must not be running.
func (p *Process) Start(ctx context.Context) error {
	if p.running() {
		return fmt.Errorf("%s is running already", p.Name)
	}
	cmd := exec.Command(p.script, p.args...)
	cmd.Stdout, cmd.Stderr = p.log, p.log
	// An empty environment, so that neither KUBECONFIG nor a proxy decides which API server it uses.
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, p.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.child = &child{cmd: cmd, ended: make(chan struct{})}
	go p.child.wait()
	return p.awaitReady(ctx)
}

// PID returns the process id of the last child.
func (p *Process) PID() int { return p.child.cmd.Process.Pid }

func (c *child) wait() {
	c.exit = c.cmd.Wait()
	// Only the watcher of the leash is left in its group.
	_ = c.signal(syscall.SIGKILL)
	close(c.ended)
}

// signal signals the whole group, because the watcher of the leash has to end with the program.
func (c *child) signal(s syscall.Signal) error {
	return syscall.Kill(-c.cmd.Process.Pid, s)
}

func (c *child) running() bool {
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

func (p *Process) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer p.child.onEnd(func() { cancel(p.endedError()) })()
	err := poll(ctx, func(ctx context.Context) error { return get(ctx, p.ReadyURL) })
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return fmt.Errorf("%s is not ready (see %s): %w", p.Name, p.LogFile, err)
}

// onEnd calls f when the child ends, unless the returned function is called first.
func (c *child) onEnd(f func()) func() {
	unwatch := make(chan struct{})
	go func() {
		select {
		case <-c.ended:
			f()
		case <-unwatch:
		}
	}()
	return func() { close(unwatch) }
}

func (p *Process) endedError() error {
	return fmt.Errorf("%s ended (%w); its log ends with:\n%s", p.Name, p.child.exit, p.lastLines(5))
}

func (p *Process) lastLines(n int) string {
	text, err := p.Logs()
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Done is closed when the process that was started last has ended.
func (p *Process) Done() <-chan struct{} {
	return p.child.ended
}

// Stop asks the process to end, and kills it if it does not end within stopGrace. It returns an error if the process
// exits with another status than 0 or is killed. Stopping a process that does not run succeeds.
func (p *Process) Stop() error {
	if !p.running() {
		return nil
	}
	if err := p.child.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.child.ended:
		return p.exitError()
	case <-time.After(stopGrace):
		return errors.Join(fmt.Errorf("%s did not end within %s", p.Name, stopGrace), p.Kill())
	}
}

// Kill ends the process without a chance to clean up, as a crash does.
func (p *Process) Kill() error {
	if !p.running() {
		return nil
	}
	err := p.child.signal(syscall.SIGKILL)
	<-p.child.ended
	return err
}

// Restart stops the process and starts it with the same flags and ports.
func (p *Process) Restart(ctx context.Context) error {
	if err := p.Stop(); err != nil {
		return err
	}
	return p.Start(ctx)
}

// Logs returns everything the process has written, over all its starts.
func (p *Process) Logs() (string, error) {
	text, err := os.ReadFile(p.LogFile)
	return string(text), err
}

func (p *Process) running() bool {
	return p.child != nil && p.child.running()
}

func (p *Process) exitError() error {
	if p.child.exit == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", p.Name, p.child.exit)
}

// kubelet does not check certificates, like the kubelet's probes.
var kubelet = &http.Client{Transport: &http.Transport{
	TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	// A replica that is restarted gets a new connection.
	DisableKeepAlives: true,
}}

// get returns nil if url answers 200.
func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := kubelet.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}
