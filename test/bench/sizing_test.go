package bench

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/test/stack"
)

// sizes are the rows of the table in docs/operations.md.
var sizes = []int{1_000, few, many}

// BenchmarkSizing starts both programs with ever more APIKeys, within the memory limits of the manifests. It reports
// the seconds until each is ready (the operator: until it has looked at every key), and its resident memory: the peak
// of the start, which must be below the limit, and what is left of it later.
func BenchmarkSizing(b *testing.B) {
	for b.Loop() {
		f := newFleet(b)
		operator, server := f.within(b, f.Operator, "operator"), f.within(b, f.Server, "server")
		f.createKeys(b, 0, 1)
		f.operated(b, isDelivered)
		before := 1
		for _, keys := range sizes {
			f.stop(b)
			f.copyKeys(b, before, keys)
			before = keys
			f.size(b, f.Operator, "operator", operator, func() { f.awaitIdle(b) })
			f.size(b, f.Server, "server", server, func() {})
		}
		must(b, f.Stop())
	}
}

// within returns the memory limit of a program in config, and lets the program know it as there.
func (f *fleet) within(b *testing.B, p *stack.Process, program string) (limit int64) {
	b.Helper()
	text, err := os.ReadFile(filepath.Join(f.Root, "config", program, "deployment.yaml"))
	must(b, err)
	var d appsv1.Deployment
	must(b, yaml.Unmarshal(text, &d))
	container := &d.Spec.Template.Spec.Containers[0]
	limit = container.Resources.Limits.Memory().Value()
	for _, variable := range container.Env {
		if variable.Name == "GOMEMLIMIT" {
			p.Env = append(p.Env, fmt.Sprintf("GOMEMLIMIT=%d", limit))
		}
	}
	return limit
}

// size measures a program from its start to its end. Nothing else runs meanwhile.
func (f *fleet) size(b *testing.B, p *stack.Process, name string, limit int64, await func()) {
	b.Helper()
	began := time.Now()
	startPatiently(b, p)
	await()
	took := time.Since(began)
	later := settled(b, p)
	peak := memoryOf(b, p, "VmHWM")
	must(b, p.Stop())
	report := func(value float64, unit string) {
		b.ReportMetric(value, fmt.Sprintf("%s-%s-at-%d", name, unit, f.keys))
	}
	report(took.Seconds(), "s")
	report(peak/(1<<20), "peak-MiB")
	report(later/(1<<20), "MiB")
	if peak > float64(limit) {
		b.Errorf("%s with %d keys: %.0f MiB, more than its limit of %d MiB", name, f.keys, peak/(1<<20), limit>>20)
	}
}

// startPatiently restarts a process, and waits longer for it than a stack does.
func startPatiently(b *testing.B, p *stack.Process) {
	b.Helper()
	err := p.Restart(b.Context())
	if err == nil {
		return
	}
	b.Logf("still waiting: %v", err)
	must(b, wait.PollUntilContextTimeout(b.Context(), 200*time.Millisecond, 20*time.Minute, true,
		func(ctx context.Context) (bool, error) {
			select {
			case <-p.Done():
				return false, err
			default:
			}
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.ReadyURL, nil)
			if err != nil {
				return false, err
			}
			reply, err := http.DefaultClient.Do(request)
			if err != nil {
				return false, nil //nolint:nilerr // it is starting: retried
			}
			return reply.StatusCode == http.StatusOK, reply.Body.Close()
		}))
}

// settled returns the resident memory of a process in bytes, once Go's runtime has gradually returned the garbage of
// the start.
func settled(b *testing.B, p *stack.Process) float64 {
	b.Helper()
	least := memoryOf(b, p, "VmRSS")
	for unchanged := 0; unchanged < 20; unchanged++ {
		select {
		case <-time.After(time.Second):
		case <-b.Context().Done():
			b.Fatal(b.Context().Err())
		}
		if now := memoryOf(b, p, "VmRSS"); now < least*0.995 {
			least, unchanged = now, 0
		}
	}
	return least
}

// memoryOf returns a field of /proc/<pid>/status in bytes.
func memoryOf(b *testing.B, p *stack.Process, field string) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	must(b, err)
	for line := range strings.Lines(string(text)) {
		var kilobytes float64
		if n, _ := fmt.Sscanf(line, field+": %f kB", &kilobytes); n == 1 {
			return kilobytes * 1024
		}
	}
	b.Fatalf("no %s", field)
	return 0
}
