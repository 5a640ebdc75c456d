package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"keywright.dev/keywright/api/v1alpha1"
)

// serverTimeout is how long etcd and kube-apiserver may take to start, and to stop.
const serverTimeout = time.Minute

// ControlPlane is a running etcd and kube-apiserver, with RBAC, the system namespace and Keywright's CRDs.
// Get one from StartControlPlane; nothing else of Keywright runs on it.
type ControlPlane struct {
	// Admin is the cluster admin's configuration, for tests and for stand-ins of cluster components.
	Admin *rest.Config
	// Client works as Admin and knows the types of Kubernetes and of Keywright.
	Client client.WithWatch
	// Kubeconfig is the path of the admin's kubeconfig, with the system namespace as its own.
	Kubeconfig string
	// Assets is the folder that holds etcd, kube-apiserver and kubectl.
	Assets string
	// Dir is the folder of the stack, Root that of the checkout.
	Dir, Root string

	options  Options
	progress progress
	leash    *leash
	env      *envtest.Environment
	// closers undo the start, last first.
	closers []func() error
}

// StartControlPlane starts etcd and kube-apiserver and installs the system namespace and the CRDs.
// ctx bounds the start only: the processes run until Stop. After an error nothing is left running.
func StartControlPlane(ctx context.Context, options Options) (*ControlPlane, error) {
	c, err := newControlPlane(options)
	if err != nil {
		return nil, err
	}
	if err := c.progress.run(ctx, c.phases()); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// Connect returns a cluster that runs already, as its admin. Stop leaves the cluster as it is.
func Connect(ctx context.Context, kubeconfig string, options Options) (*ControlPlane, error) {
	c, err := newControlPlane(options)
	if err != nil {
		return nil, err
	}
	c.Kubeconfig = kubeconfig
	c.Admin, err = clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err == nil {
		err = c.makeClient()
	}
	if err = errors.Join(err, c.findAssets(ctx)); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func newControlPlane(options Options) (*ControlPlane, error) {
	root := options.Root
	if root == "" {
		var err error
		if root, err = Root(); err != nil {
			return nil, err
		}
	}
	options, temporary, err := options.complete()
	c := &ControlPlane{
		Dir:      options.Dir,
		Root:     root,
		options:  options,
		progress: progress{out: options.Out, begun: time.Now()},
	}
	if temporary != "" {
		c.onStop(func() error { return os.RemoveAll(temporary) })
	}
	if err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	c.onStop(func() error { return os.RemoveAll(c.run()) })
	return c, nil
}

func (c *ControlPlane) phases() []phase {
	return []phase{
		{"finding etcd, kube-apiserver and kubectl", c.findAssets},
		{"starting etcd and kube-apiserver", c.startServers},
		{"installing the system namespace and the CRDs", c.InstallCRDs},
	}
}

func (c *ControlPlane) findAssets(ctx context.Context) (err error) {
	c.Assets, err = findAssets(ctx, c.Root, c.options.Out)
	return err
}

// startServers runs the two on loopback and creates the admin's client and kubeconfig.
func (c *ControlPlane) startServers(context.Context) (err error) {
	if c.leash, err = newLeash(c.run()); err != nil {
		return err
	}
	c.onStop(c.leash.close)
	if err := c.configureServers(); err != nil {
		return err
	}
	c.onStop(c.env.Stop)
	if c.Admin, err = c.env.Start(); err != nil {
		return fmt.Errorf("%w (see %s)", err, filepath.Join(c.Dir, "logs"))
	}
	return c.makeAdmin()
}

// configureServers describes the two to envtest. Data and certificates go below run/, and logs to logs/.
func (c *ControlPlane) configureServers() error {
	c.env = &envtest.Environment{
		// Explicit, because an environment variable could otherwise point envtest at a person's own cluster.
		UseExistingCluster:       new(false),
		ControlPlaneStartTimeout: serverTimeout,
		ControlPlaneStopTimeout:  serverTimeout,
	}
	etcd, etcdLog, err := c.program("etcd", filepath.Join(c.Assets, "etcd"))
	if err != nil {
		return err
	}
	apiserver, apiserverLog, err := c.program("kube-apiserver", filepath.Join(c.Assets, "kube-apiserver"))
	if err != nil {
		return err
	}
	etcdData, certs := filepath.Join(c.run(), "etcd.d"), filepath.Join(c.run(), "kube-apiserver.d")
	c.env.ControlPlane.KubectlPath = c.kubectlPath()
	c.env.ControlPlane.Etcd = &envtest.Etcd{Path: etcd, DataDir: etcdData, Out: etcdLog, Err: etcdLog}
	c.env.ControlPlane.APIServer = &envtest.APIServer{Path: apiserver, CertDir: certs, Out: apiserverLog,
		Err: apiserverLog}
	if c.options.Audit {
		err = c.audit()
	}
	return errors.Join(err, os.Mkdir(etcdData, 0o700), os.Mkdir(certs, 0o700))
}

// program ties a program to the leash and opens its log, for its start under envtest or as a Process.
func (c *ControlPlane) program(name, path string) (script string, log *os.File, err error) {
	if script, err = c.leash.wrap(path); err != nil {
		return "", nil, err
	}
	log, err = os.OpenFile(c.LogFile(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		c.onStop(log.Close)
	}
	return script, log, err
}

func (c *ControlPlane) makeAdmin() error {
	if err := c.makeClient(); err != nil {
		return err
	}
	c.Kubeconfig = filepath.Join(c.Dir, "kubeconfig")
	c.onStop(func() error { return os.RemoveAll(c.Kubeconfig) })
	return writeKubeconfig(c.Kubeconfig, "admin", c.Admin)
}

func (c *ControlPlane) makeClient() (err error) {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	c.Client, err = client.NewWithWatch(c.Admin, client.Options{Scheme: scheme})
	return err
}

// Signal sends a signal to etcd or kube-apiserver. A process that was stopped by SIGSTOP needs SIGCONT before Stop.
func (c *ControlPlane) Signal(name string, signal syscall.Signal) error {
	text, err := os.ReadFile(filepath.Join(c.run(), name+".pid"))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	return syscall.Kill(pid, signal)
}

// Stop stops every process and removes every file except logs. It may be called again.
func (c *ControlPlane) Stop() error {
	var errs []error
	for _, undo := range slices.Backward(c.closers) {
		errs = append(errs, undo())
	}
	c.closers = nil
	return errors.Join(errs...)
}

func (c *ControlPlane) onStop(undo func() error) {
	c.closers = append(c.closers, undo)
}

// run is the folder for data, certificates, identities and the mounted pepper.
func (c *ControlPlane) run() string {
	return filepath.Join(c.Dir, "run")
}

// LogFile returns the log of a process: etcd, kube-apiserver, operator, server, or server-2 and so on.
func (c *ControlPlane) LogFile(name string) string {
	return filepath.Join(c.Dir, "logs", name+".log")
}
