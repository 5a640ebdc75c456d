package stack

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Replica is one server.
type Replica struct {
	*Process
	// URL is its address, without a trailing slash. MetricsURL serves its metrics.
	URL, MetricsURL string
	// ExtAuthz is the address of its gRPC service for Envoy.
	ExtAuthz string
}

// startServers starts the replicas. Most tests use the first.
func (s *Stack) startServers(ctx context.Context) error {
	for range max(1, s.options.Servers) {
		if _, err := s.AddServer(ctx); err != nil {
			return err
		}
	}
	return nil
}

// AddServer starts one more replica and returns when it is ready. Its args follow Options.ServerArgs. Stop ends it.
func (s *Stack) AddServer(ctx context.Context, args ...string) (Replica, error) {
	kubeconfig, err := s.serviceAccountKubeconfig(ctx, "keywright-server", s.options.ServerSees)
	if err != nil {
		return Replica{}, err
	}
	free, err := freeAddresses(3)
	if err != nil {
		return Replica{}, err
	}
	listen, metrics, extAuthz := free[0], free[1], free[2]
	name := s.nextServer()
	args = slices.Concat([]string{
		"--kubeconfig=" + kubeconfig,
		"--namespace=" + s.options.Namespace,
		"--pepper-dir=" + s.pepperDir(),
		"--listen=" + listen,
		"--metrics-listen=" + metrics,
		"--ext-authz-listen=" + extAuthz,
		"--database=" + s.database(name),
	}, s.options.ServerArgs, args)
	scheme := "http://"
	if slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "--tls-cert-file=") }) {
		scheme = "https://"
	}
	r := Replica{URL: scheme + listen, MetricsURL: "http://" + metrics + "/metrics", ExtAuthz: extAuthz}
	r.Process, err = s.NewProcess(name, filepath.Join(s.options.Bin, "server"), r.URL+"/readyz", args...)
	if err != nil {
		return Replica{}, err
	}
	s.Replicas = append(s.Replicas, r)
	if len(s.Replicas) == 1 {
		s.Server, s.ServerURL, s.ServerMetricsURL = r.Process, r.URL, r.MetricsURL
	}
	err = r.Start(ctx)
	return r, err
}

// nextServer returns the name of the next replica.
func (s *Stack) nextServer() string {
	if len(s.Replicas) == 0 {
		return "server"
	}
	return fmt.Sprintf("server-%d", len(s.Replicas)+1)
}

// database returns the database URL of a replica.
func (s *Stack) database(name string) string {
	if s.options.Database != "" {
		return s.options.Database
	}
	return filepath.Join(s.options.Dir, "run", name+".db")
}

// DatabaseFiles returns the files of the servers' own databases.
func (s *Stack) DatabaseFiles() ([]string, error) {
	return filepath.Glob(filepath.Join(s.options.Dir, "run", "server*.db*"))
}
