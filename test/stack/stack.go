package stack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// The Secret and entry of the bootstrap key.
const (
	bootstrapSecret = "keywright-bootstrap"
	bootstrapKey    = "key"
)

// Stack is a control plane with Keywright on it: its policies are in force, operator and server run under their own
// ServiceAccounts, and a bootstrap key is configured.
type Stack struct {
	*ControlPlane
	// Operator and Server may be stopped, killed and restarted. They are the first of Operators and of Replicas.
	Operator, Server *Process
	// Operators are all operators. With more than one, each needs flag --leader-elect in OperatorArgs.
	Operators []*Process
	// Replicas are all server replicas.
	Replicas []Replica
	// ServerURL is the server's address, without a trailing slash.
	ServerURL string
	// ServerMetricsURL and OperatorMetricsURL serve the metrics of the two programs.
	ServerMetricsURL, OperatorMetricsURL string
	// BootstrapKey is the plaintext in entry key of Secret keywright-bootstrap. It is random.
	BootstrapKey string
}

// Start starts everything and returns when operator and server are ready. ctx bounds the start only: the processes run
// until Stop. After an error nothing is left running.
func Start(ctx context.Context, options Options) (*Stack, error) {
	plane, err := StartControlPlane(ctx, options)
	if err != nil {
		return nil, err
	}
	s := &Stack{ControlPlane: plane, BootstrapKey: rand.Text()}
	if err := s.progress.run(ctx, s.phases()); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Stack) phases() []phase {
	return []phase{
		{"installing RBAC and the admission policies", s.InstallPolicies},
		{"writing the bootstrap key", s.writeBootstrapKey},
		{"building the operator and the server", s.build},
		{"starting the operator as ServiceAccount keywright-operator", s.startOperators},
		{"mounting the pepper", s.mountPepper},
		{"starting the server as ServiceAccount keywright-server", s.startServers},
	}
}

// writeBootstrapKey writes a Secret, and the ConfigMap that refers to it.
func (s *Stack) writeBootstrapKey(ctx context.Context) error {
	owner := client.FieldOwner("keywright-stack")
	secret := corev1ac.Secret(bootstrapSecret, s.options.Namespace).
		WithStringData(map[string]string{bootstrapKey: s.BootstrapKey})
	config := corev1ac.ConfigMap(v1alpha1.ConfigMapConfig, s.options.Namespace).
		WithData(map[string]string{"ADMIN_KEY_SECRET": bootstrapSecret + "/" + bootstrapKey})
	return errors.Join(s.Client.Apply(ctx, secret, owner), s.Client.Apply(ctx, config, owner))
}

// build compiles both programs and writes the compiler's output to Out.
func (s *Stack) build(ctx context.Context) error {
	var flags []string
	if s.options.ForRelease {
		flags = append(flags, "-pgo=cmd/server/release.pgo")
	}
	return errors.Join(s.buildOne(ctx, "operator"), s.buildOne(ctx, "server", flags...))
}

func (s *Stack) buildOne(ctx context.Context, name string, flags ...string) error {
	args := append([]string{filepath.Join(s.options.Bin, name), "./cmd/" + name}, flags...)
	build := command(ctx, filepath.Join(s.Root, "hack", "gobuild.sh"), args...)
	build.Dir = s.Root
	build.Stdout, build.Stderr = s.options.Out, s.options.Out
	if err := build.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Reinstall installs everything again after it was removed, and starts the operator, which must be stopped. The server
// stays as it is.
func (s *Stack) Reinstall(ctx context.Context) error {
	if err := s.InstallCRDs(ctx); err != nil {
		return err
	}
	if err := s.InstallPolicies(ctx); err != nil {
		return err
	}
	if err := s.writeBootstrapKey(ctx); err != nil {
		return err
	}
	// The ServiceAccount is another one now, and the old token is not valid.
	if _, err := s.serviceAccountKubeconfig(ctx, "keywright-operator", nil); err != nil {
		return err
	}
	return s.Operator.Start(ctx)
}

// mountPepper returns when the operator has created the pepper and the server can read it. The mount follows it until
// Stop.
func (s *Stack) mountPepper(ctx context.Context) error {
	pepper := mount{
		dir: s.pepperDir(), namespace: s.options.Namespace, secret: v1alpha1.PepperSecret, client: s.Client,
	}
	if err := os.MkdirAll(pepper.dir, 0o700); err != nil {
		return err
	}
	shown := s.follow(context.WithoutCancel(ctx), pepper)
	ctx, cancel := context.WithTimeoutCause(ctx, pollFor,
		fmt.Errorf("no Secret %s within %s (see %s)", v1alpha1.PepperSecret, pollFor, s.Operator.LogFile))
	defer cancel()
	select {
	case err := <-shown:
		return err
	case <-s.Operator.Done():
		return s.Operator.endedError()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// follow keeps a mount up to date until Stop. It returns a channel for the result of the first write.
func (s *Stack) follow(ctx context.Context, m mount) <-chan error {
	ctx, cancel := context.WithCancel(ctx)
	shown, ended := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(ended)
		m.follow(ctx, shown)
	}()
	s.onStop(func() error {
		cancel()
		<-ended
		return nil
	})
	return shown
}

func (s *Stack) pepperDir() string {
	return filepath.Join(s.run(), "pepper")
}

// Ports are below those that the kernel assigns to outgoing connections: such a connection could take the port of a
// program while that is stopped.
const lowestPort, highestPort = 10_000, 32_000

// freeAddresses returns n unused loopback addresses with different ports.
func freeAddresses(n int) ([]string, error) {
	if n == 0 {
		return nil, nil
	}
	listener, err := listenSomewhere()
	if err != nil {
		return nil, err
	}
	// Held until all are chosen, so that no two are the same.
	defer listener.Close()
	others, err := freeAddresses(n - 1)
	return append(others, listener.Addr().String()), err
}

func listenSomewhere() (listener net.Listener, err error) {
	for range 100 {
		port := lowestPort + mathrand.IntN(highestPort-lowestPort)
		if listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return listener, nil
		}
	}
	return nil, err
}
