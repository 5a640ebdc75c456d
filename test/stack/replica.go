package stack

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
)

// Replica is one server.
type Replica struct {
	*Process
	// URL is where it listens, without a slash at the end; MetricsURL is where it shows its metrics.
	URL, MetricsURL string
	// ExtAuthz is the address where it answers Envoy by gRPC.
	ExtAuthz string
}

// startServers starts as many as were asked for. The first is the one that most tests talk to.
func (s *Stack) startServers(ctx context.Context) error {
	for range max(1, s.options.Servers) {
		if _, err := s.AddServer(ctx); err != nil {
			return err
		}
	}
	return nil
}

// AddServer starts one more replica and returns when it is ready. Stop ends it with all else. Its args come after
// Options.ServerArgs.
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
		"--namespace=" + Namespace,
		"--pepper-dir=" + s.pepperDir(),
		"--listen=" + listen,
		"--metrics-listen=" + metrics,
		"--ext-authz-listen=" + extAuthz,
		"--database=" + s.database(name),
	}, s.options.ServerArgs, args)
	r := Replica{URL: "http://" + listen, MetricsURL: "http://" + metrics + "/metrics", ExtAuthz: extAuthz}
	r.Process, err = s.newProcess(name, filepath.Join(s.options.Bin, "server"), r.URL+"/readyz", args...)
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

// nextServer names the one to be added.
func (s *Stack) nextServer() string {
	if len(s.Replicas) == 0 {
		return "server"
	}
	return fmt.Sprintf("server-%d", len(s.Replicas)+1)
}

// database is that of the replica of a name.
func (s *Stack) database(name string) string {
	if s.options.Database != "" {
		return s.options.Database
	}
	return filepath.Join(s.options.Dir, "run", name+".db")
}

// DatabaseFiles are those of the servers' own databases.
func (s *Stack) DatabaseFiles() ([]string, error) {
	return filepath.Glob(filepath.Join(s.options.Dir, "run", "server*.db*"))
}
