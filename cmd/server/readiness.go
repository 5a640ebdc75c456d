package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
)

// check is one thing that has to be so before requests may come.
type check struct {
	name string
	err  func() error
}

// readiness answers /readyz.
type readiness struct {
	checks   []check
	stopping atomic.Bool
}

// ServeHTTP answers 200 or 503; with ?verbose it lists the checks.
func (r *readiness) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	status, report := r.report()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if !request.URL.Query().Has("verbose") {
		report = map[bool]string{true: "ok\n", false: "not ready\n"}[status == http.StatusOK]
	}
	_, _ = w.Write([]byte(report))
}

func (r *readiness) report() (int, string) {
	status := http.StatusOK
	var lines strings.Builder
	tell := func(name string, err error) {
		if err != nil {
			status = http.StatusServiceUnavailable
			fmt.Fprintf(&lines, "[-] %s: %v\n", name, err)
			return
		}
		fmt.Fprintf(&lines, "[+] %s: ok\n", name)
	}
	if r.stopping.Load() {
		tell("shutdown", errStopping)
	}
	for _, c := range r.checks {
		tell(c.name, c.err())
	}
	return status, lines.String()
}
