package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"keywright.dev/keywright/test/scenario"
	"keywright.dev/keywright/test/stack"
)

// folder is where the demo writes, below the root of the checkout.
const folder = ".demo"

// demo is one run.
type demo struct {
	out  io.Writer
	once bool
	root string
	// dir is the absolute path of folder.
	dir string
}

func newDemo(out io.Writer, once bool) (*demo, error) {
	root, err := stack.Root()
	if err != nil {
		return nil, err
	}
	return &demo{out: out, once: once, root: root, dir: filepath.Join(root, folder)}, nil
}

func (d *demo) run(ctx context.Context) error {
	unlock, err := lock(d.dir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := clean(d.dir); err != nil {
		return err
	}
	d.say("Bringing up a control plane on loopback, and Keywright on it.\n")
	s, err := stack.Start(ctx, stack.Options{Dir: d.dir, Out: d.out, Bin: filepath.Join(d.root, "bin")})
	if err != nil {
		return interrupted(ctx, err)
	}
	err = d.show(ctx, s)
	return errors.Join(interrupted(ctx, err), d.end(s))
}

// show plays the story, and then leaves everything running until ctx ends, unless it is to stop.
func (d *demo) show(ctx context.Context, s *stack.Stack) error {
	if err := s.WriteEnv(filepath.Join(d.dir, "env")); err != nil {
		return err
	}
	d.say("\nIt is up. Each line after $ is a command, run in the environment of %s/env.", folder)
	player := &scenario.Player{
		Root:      s.Root,
		Dir:       folder,
		Env:       s.Environ(),
		ServerURL: s.ServerURL,
		Out:       scenario.NewPrinter(d.out, colours(d.out)),
	}
	if err := player.Play(ctx, scenario.Steps()); err != nil {
		return fmt.Errorf("%w\nthe logs are in %s/logs", err, folder)
	}
	if d.once {
		d.say("\nEvery step showed what it should.")
		return nil
	}
	d.say(whatToTry, s.ServerURL, s.BootstrapKey)
	return stay(ctx, s)
}

// stay returns when ctx ends, or when the operator or the server ends unexpectedly.
func stay(ctx context.Context, s *stack.Stack) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.Operator.Done():
		return fmt.Errorf("the operator ended unexpectedly: see %s/logs/operator.log", folder)
	case <-s.Server.Done():
		return fmt.Errorf("the server ended unexpectedly: see %s/logs/server.log", folder)
	}
}

// end stops everything and removes everything but the logs.
func (d *demo) end(s *stack.Stack) error {
	d.say("\nStopping everything.")
	return errors.Join(s.Stop(), keepLogs(d.dir))
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.out, format+"\n", args...)
}

// interrupted replaces an error that was caused by the end of ctx, whatever its text.
func interrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted before the last step")
	}
	return err
}

// colours reports whether out is a terminal that supports colours and has them enabled.
func colours(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// whatToTry takes the address of the server and the bootstrap key, which are those of this run only.
const whatToTry = `
Everything keeps running until Ctrl-C.

In a browser: %s/register
Sign in as admin with the bootstrap key: %s

From another terminal, in this folder:

  . .demo/env          # kubectl (namespace keywright-system), its KUBECONFIG, KEYWRIGHT_URL and KEYWRIGHT_ADMIN_KEY

  kubectl get secret bob-key \
    -o go-template='X-API-Key: {{.data.key | base64decode}}' >.demo/bob.header
  curl -i -H @.demo/bob.header $KEYWRIGHT_URL/auth

  kubectl apply -f config/samples/adminuser_alice.yaml    # bob, the last admin, cannot be disabled
  kubectl wait adminuser/alice --for=condition=Active
  kubectl patch adminuser bob --type=merge -p '{"spec":{"state":"Disabled"}}'    # refused at once
  kubectl patch adminuser bob --type=merge -p '{"spec":{"state":"Active"}}'      # and in again

  kubectl describe adminuser bob
  tail -f .demo/logs/operator.log .demo/logs/server.log`
