package bench

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/test/stack"
)

// The bounds of GET /auth, measured in one run.
const (
	// leastOfBare is the least ratio of its rate to the bare handler's.
	leastOfBare = 0.75
	// leastByPath is the same for path mode with up to 1,000 keys, whose floor gets the same request. With 100,000,
	// leastOfBare counts.
	leastByPath = 0.85
	// mostOfBareP99 is the largest ratio of the 99th percentiles.
	mostOfBareP99 = 1.5
	// mostApart is the largest difference between the numbers of keys.
	mostApart = 1.15
	// leastForWrong is the least ratio of the rate of wrong keys to that of right ones, with some noise.
	leastForWrong = 0.95

	authAskers = 8
	authRounds = 150
	authRound  = 100 * time.Millisecond
)

// BenchmarkServer measures the running server with 1, 1,000 and 100,000 APIKeys from the API server.
func BenchmarkServer(b *testing.B) {
	c := gather(b)
	b.Run("auth", func(b *testing.B) {
		for b.Loop() {
			c.auth(b)
		}
	})
	b.Run("index", func(b *testing.B) {
		for b.Loop() {
			c.index(b)
		}
	})
}

// auth measures GET /auth as gateways use it. Each server is its own process, as in a cluster, and so is the floor,
// package bare. x-bare is the ratio of the rates.
func (c *crowd) auth(b *testing.B) {
	b.Helper()
	bare := newContender(b, "bare", startBare(b, c.Stack), authAskers, c.keys[crowds[2].namespace], http.StatusOK)
	all := []*contender{bare}
	for i, some := range crowds {
		all = append(all, newContender(b, fmt.Sprint(some.keys), c.Replicas[i].URL, authAskers, c.keys[some.namespace],
			http.StatusOK))
	}
	wrong := newContender(b, "wrong", c.Replicas[2].URL, authAskers, generate(b, crowds[2].keys), http.StatusUnauthorized)
	pathMode := func(which int, url string) *contender {
		return newContender(b, fmt.Sprintf("path-%d", crowds[which].keys), url, authAskers, c.keys[crowds[which].namespace],
			http.StatusOK).inPathMode()
	}
	bareByPath := pathMode(2, bare.url)
	fewByPath, manyByPath := pathMode(1, c.Replicas[1].URL), pathMode(2, c.Replicas[2].URL)
	compete(b, authRounds, authRound, append(all, wrong, bareByPath, fewByPath, manyByPath)...)

	b.ReportMetric(steady(bare.rates), "bare/s")
	b.ReportMetric(milliseconds(median(bare.p99s)), "bare-p99-ms")
	var shares []float64
	for _, ours := range all[1:] {
		share, slower := ours.share(bare), ours.slower(bare)
		shares = append(shares, share)
		b.ReportMetric(share, ours.name+"-x-bare")
		b.ReportMetric(slower, ours.name+"-p99-x-bare")
		if share < leastOfBare || slower > mostOfBareP99 {
			b.Errorf("with %s keys %.2f of the bare handler's answers a second, and %.2f times its p99: at least %.2f "+
				"and at most %.2f are wanted", ours.name, share, slower, leastOfBare, mostOfBareP99)
		}
	}
	apart := slices.Max(shares) / slices.Min(shares)
	b.ReportMetric(apart, "apart")
	if apart > mostApart {
		b.Errorf("the numbers of keys are %.2f apart: %.2f", apart, shares)
	}
	few, many := fewByPath.share(bareByPath), manyByPath.share(bareByPath)
	b.ReportMetric(few, fewByPath.name+"-x-bare")
	b.ReportMetric(many, manyByPath.name+"-x-bare")
	if few < leastByPath || many < leastOfBare {
		b.Errorf("in path mode %.2f of the bare handler's answers a second with 1,000 keys, and %.2f with 100,000: at least "+
			"%.2f and %.2f are wanted", few, many, leastByPath, leastOfBare)
	}
	share := wrong.share(all[3])
	b.ReportMetric(share, "wrong-x-right")
	if share < leastForWrong {
		b.Errorf("%.2f wrong keys are answered in the time of a right one", share)
	}
}

// startBare starts the floor and returns its address.
func startBare(b *testing.B, s *stack.Stack) string {
	b.Helper()
	program := filepath.Join(b.TempDir(), "bare")
	build := exec.CommandContext(b.Context(), filepath.Join(s.Root, "hack", "gobuild.sh"), program, "./test/bench/bare")
	build.Dir, build.Stderr = s.Root, os.Stderr
	must(b, build.Run())
	bare := exec.CommandContext(b.Context(), program)
	bare.Stderr = os.Stderr
	stdin, err := bare.StdinPipe()
	must(b, err)
	stdout, err := bare.StdoutPipe()
	must(b, err)
	must(b, bare.Start())
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = bare.Wait()
	})
	address, err := bufio.NewReader(stdout).ReadString('\n')
	must(b, err)
	return "http://" + strings.TrimSpace(address)
}
