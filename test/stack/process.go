package stack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// stopGrace is what a process gets to end after SIGTERM: longer than the server's --shutdown-timeout.
const stopGrace = 25 * time.Second

// Process is a program of Keywright as a child process, in a process group of its own, with its output in a file.
// Its methods are not for several goroutines at once; Done is.
type Process struct {
	// Name is operator or server, or server-2 and so on for more of them.
	Name string
	// ReadyURL answers 200 when the process can do its work.
	ReadyURL string
	// LogFile gets stdout and stderr, appended to by every start.
	LogFile string
	// Env is added, as NAME=value, to the environment of the next start.
	Env []string

	script string
	args   []string
	log    *os.File
	// child is the one that was started last.
	child *child
}

// child is one life of a Process.
type child struct {
	cmd *exec.Cmd
	// ended is closed when the child is gone; exit is then how it went.
	ended chan struct{}
	exit  error
}

// newProcess describes the program at path; Start runs it.
func (c *ControlPlane) newProcess(name, path, readyURL string, args ...string) (*Process, error) {
	script, log, err := c.program(name, path)
	if err != nil {
		return nil, err
	}
	p := &Process{Name: name, ReadyURL: readyURL, LogFile: c.LogFile(name), script: script, log: log, args: args}
	c.onStop(p.Stop)
	return p, nil
}

// Start runs the process and returns when it is ready, or has ended, or ctx has. It must not be running.
func (p *Process) Start(ctx context.Context) error {
	if p.running() {
		return fmt.Errorf("%s is running already", p.Name)
	}
	cmd := exec.Command(p.script, p.args...)
	cmd.Stdout, cmd.Stderr = p.log, p.log
	// Nothing of our environment: neither KUBECONFIG nor a proxy may decide what it talks to.
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, p.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.child = &child{cmd: cmd, ended: make(chan struct{})}
	go p.child.wait()
	return p.awaitReady(ctx)
}

// PID is that of the life started last.
func (p *Process) PID() int { return p.child.cmd.Process.Pid }

func (c *child) wait() {
	c.exit = c.cmd.Wait()
	// What is left of its group is the watcher of the leash.
	_ = c.signal(syscall.SIGKILL)
	close(c.ended)
}

// signal reaches the whole group: the watcher of the leash has to go with the program.
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

// onEnd calls f when the child ends, unless the function it returns was called before.
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

// Done is closed when the process that was started last has ended, in whatever way.
func (p *Process) Done() <-chan struct{} {
	return p.child.ended
}

// Stop asks the process to end and makes it end when it does not within a grace. Its error is that of the process,
// which is to exit with 0, or that it had to be killed. Stopping what does not run is no error.
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

// Kill ends the process without a chance to clean up, as a crash would.
func (p *Process) Kill() error {
	if !p.running() {
		return nil
	}
	err := p.child.signal(syscall.SIGKILL)
	<-p.child.ended
	return err
}

// Restart stops the process and starts it with the same flags, and so on the same ports.
func (p *Process) Restart(ctx context.Context) error {
	if err := p.Stop(); err != nil {
		return err
	}
	return p.Start(ctx)
}

// Logs is all that the process has written, over every start.
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

// get is nil when url answers 200.
func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}
