package scenario

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Player plays steps against a running Keywright.
type Player struct {
	// Root is the folder that the commands run in: the checkout.
	Root string
	// Dir is the folder of the files with keys, as the commands name it: relative to Root, or absolute.
	Dir string
	// Env is the environment of the commands, with KEYWRIGHT_URL and what kubectl needs.
	Env []string
	// ServerURL is KEYWRIGHT_URL.
	ServerURL string
	// Out gets the output for people.
	Out *Printer

	curlMissed bool
}

// Play plays the steps until one does not show what it should. Its error names the step and wraps a *Mismatch or the
// end of ctx.
func (p *Player) Play(ctx context.Context, steps []Step) error {
	for i, step := range steps {
		p.Out.title(i+1, len(steps), step.Title)
		if err := p.playStep(ctx, step); err != nil {
			return fmt.Errorf("step %d (%s): %w", i+1, step.Title, err)
		}
	}
	return nil
}

func (p *Player) playStep(ctx context.Context, step Step) error {
	for _, a := range step.acts {
		if err := a.play(ctx, p); err != nil {
			p.complain(err)
			return err
		}
	}
	p.Out.good(step.Proves)
	return nil
}

func (p *Player) complain(err error) {
	if mismatch, ok := errors.AsType[*Mismatch](err); ok {
		p.Out.bad("expected " + mismatch.Want)
		p.Out.bad("got " + mismatch.Got)
		return
	}
	p.Out.bad(err.Error())
}

// abs returns a path as seen from this process, which need not run in Root.
func (p *Player) abs(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(p.Root, path)
}

// headerFile returns the path of a file that holds a key as an HTTP header for curl.
func (p *Player) headerFile(name string) string {
	return p.file(name + ".header")
}

// file returns the path of a file with a key.
func (p *Player) file(name string) string { return filepath.Join(p.Dir, name) }

// shell is a command line that runs exactly as printed and has to succeed.
type shell struct {
	line   string
	checks []check
}

func (s shell) play(ctx context.Context, p *Player) error {
	p.Out.command(s.line)
	output, err := p.sh(ctx, s.line)
	p.Out.output(output)
	if err != nil {
		return &Mismatch{Want: "the command to succeed", Got: err.Error()}
	}
	return verify(output, s.checks)
}

// take writes the key of a Secret into a header file. The plaintext goes from kubectl to the file only.
type take struct {
	secret, to string
}

func (t take) play(ctx context.Context, p *Player) error {
	const line = "umask 077; kubectl get secret %s \\\n" +
		"  -o go-template='Authorization: Bearer {{.data.key | base64decode}}' >%s"
	return shell{fmt.Sprintf(line, t.secret, p.headerFile(t.to)), nil}.play(ctx, p)
}

// sh runs a command line and returns its output. The command has its own process group, so that Ctrl-C does not end it
// unnoticed.
func (p *Player) sh(ctx context.Context, line string) (string, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir, cmd.Env = p.Root, p.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	output, err := cmd.CombinedOutput()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return strings.ReplaceAll(string(output), "\r\n", "\n"), err
}
