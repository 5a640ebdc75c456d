package bench

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/apiclient"
)

// The bounds of the command line.
const (
	// mostOverEmpty is how much longer it may take to start than an empty program of the same size.
	mostOverEmpty = 50 * time.Millisecond
	// mostMemory bounds the resident memory of a list of listedKeys keys.
	mostMemory = 100 << 20
	listedKeys = 10_000
)

// buildCommandLine builds keywright as `make build` does, and returns its path.
func buildCommandLine(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "keywright")
	goBuild(b, "../..", path, "./cmd/keywright")
	return path
}

func goBuild(b *testing.B, folder, output, target string) {
	b.Helper()
	build := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w",
		"-o", output, target)
	build.Dir, build.Env = folder, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
}

// buildEmpty builds a program of the size of another, which does nothing.
func buildEmpty(b *testing.B, like string) string {
	b.Helper()
	const source = `package main

import (
	_ "embed"
	"os"
)

//go:embed padding
var padding string

func main() {
	if len(os.Args) > 1000 {
		println(padding)
	}
}
`
	folder := b.TempDir()
	path := filepath.Join(folder, "empty")
	write := func(name string, text []byte) { must(b, os.WriteFile(filepath.Join(folder, name), text, 0o600)) }
	write("go.mod", []byte("module empty\n\ngo 1.26\n"))
	write("main.go", []byte(source))
	write("padding", nil)
	goBuild(b, folder, path, ".")
	padding := make([]byte, sizeOf(b, like)-sizeOf(b, path))
	_, _ = rand.Read(padding)
	write("padding", padding)
	goBuild(b, folder, path, ".")
	return path
}

func sizeOf(b *testing.B, path string) int64 {
	b.Helper()
	info, err := os.Stat(path)
	must(b, err)
	return info.Size()
}

// BenchmarkCommandLineStart measures how long `keywright version` and `keywright --help` take, in turn with an empty
// program of the same size. Its bound is on the difference of the medians.
func BenchmarkCommandLineStart(b *testing.B) {
	keywright := buildCommandLine(b)
	commands := []struct {
		name string
		line []string
		took []time.Duration
	}{
		{name: "empty", line: []string{buildEmpty(b, keywright)}},
		{name: "version", line: []string{keywright, "version"}},
		{name: "help", line: []string{keywright, "--help"}},
	}
	for b.Loop() {
		// Each round has forty, for a stable median.
		for range 40 {
			for i := range commands {
				c := &commands[i]
				begun := time.Now()
				must(b, exec.CommandContext(b.Context(), c.line[0], c.line[1:]...).Run())
				c.took = append(c.took, time.Since(begun))
			}
		}
	}
	empty := median(commands[0].took)
	b.ReportMetric(milliseconds(empty), "empty-ms")
	b.ReportMetric(float64(sizeOf(b, keywright))/(1<<20), "MiB")
	for _, c := range commands[1:] {
		over := median(c.took) - empty
		b.ReportMetric(milliseconds(over), c.name+"-over-ms")
		if over > mostOverEmpty {
			b.Errorf("%s takes %v longer than an empty program, at most %v", c.name, over, mostOverEmpty)
		}
	}
}

// BenchmarkListKeys measures `keywright keys get` over 10,000 keys with policies: its resident memory, and that it
// prints a page before it asks for the next.
func BenchmarkListKeys(b *testing.B) {
	keywright := buildCommandLine(b)
	for _, format := range []string{"table", "wide", "json", "csv"} {
		b.Run(format, func(b *testing.B) {
			var most int64
			for b.Loop() {
				most = max(most, listKeys(b, keywright, format))
			}
			b.ReportMetric(float64(most)/(1<<20), "RSS-MiB")
			if most > mostMemory {
				b.Errorf("%d bytes of memory, at most %d", most, mostMemory)
			}
		})
	}
}

// listKeys lists the keys of a stub, and returns the resident memory at its peak.
func listKeys(b *testing.B, program, format string) int64 {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	stub := &keyPages{printed: make(chan struct{})}
	server := httptest.NewServer(stub)
	defer server.Close()
	command := exec.CommandContext(ctx, program, "keys", "get", "-o", format)
	command.Env = []string{"HOME=" + b.TempDir(), "KEYWRIGHT_SERVER=" + server.URL, "KEYWRIGHT_API_KEY=a-key-of-the-stub"}
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	must(b, err)
	must(b, command.Start())
	lines := bufio.NewScanner(out)
	listed, memory, begun := 0, int64(0), false
	for lines.Scan() {
		if !begun {
			close(stub.printed)
			begun = true
		}
		listed += strings.Count(lines.Text(), "name-of-")
		if memory == 0 && listed > listedKeys-900 {
			// The last page has come. The rest of the output does not fit into the pipe, so the process still runs.
			memory = peakMemory(b, command.Process.Pid)
		}
	}
	must(b, errors.Join(lines.Err(), command.Wait()))
	if listed != listedKeys {
		b.Fatalf("%d keys were printed, not %d", listed, listedKeys)
	}
	return memory
}

// peakMemory returns the peak of a process' resident memory. The usage that the kernel reports at its end includes the
// memory of the process that started it.
func peakMemory(b *testing.B, pid int) int64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(b, err)
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	line, _, _ := strings.Cut(after, " kB")
	kibibytes, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	must(b, err)
	return kibibytes << 10
}

// keyPages serves keys as GET /apiv1/apikeys does. It holds back every page but the first until printed is closed.
type keyPages struct{ printed chan struct{} }

func (k *keyPages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	offset, _ := strconv.Atoi(query.Get("offset"))
	limit, _ := strconv.Atoi(query.Get("limit"))
	if offset > 0 {
		select {
		case <-k.printed:
		case <-r.Context().Done():
			return
		}
	}
	items := []apiclient.Key{}
	for i := offset; i < min(offset+limit, listedKeys); i++ {
		items = append(items, listedKey(i))
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"items": items, "total": listedKeys}})
}

func listedKey(i int) apiclient.Key {
	prefix, end := "ak_12345678", "2031-01-31T12:00:00Z"
	return apiclient.Key{
		ID: fmt.Sprintf("f9477450-c1d7-4b08-9809-%012d", i), Name: fmt.Sprintf("name-of-%d", i), Subject: "Account/ci",
		Description: "A key of a pipeline that builds, tests and deploys.", KeyPrefix: &prefix, Enabled: true, Active: true,
		Scopes: []string{"certs.read", "certs.write", "queries.run"}, Roles: []string{"deployer", "reader"},
		Policy:    json.RawMessage(`{"permissions":[` + strings.TrimSuffix(strings.Repeat(permission+",", 8), ",") + `]}`),
		CreatedAt: "2030-01-31T12:00:00Z", ExpiresAt: &end, LastUsedAt: &end, Source: "api",
		Object: apiclient.Reference{Namespace: "keywright-system", Name: fmt.Sprintf("key-%d", i)},
	}
}

const permission = `{"effect":"ALLOW","actions":["query:ReadGraphData","certs:Read"],"resources":["query:one","query:two"]}`
