package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/server/liveconfig"
)

// check is one thing that has to be so before requests may come.
type check struct {
	name string
	err  func() error
	// note is what else there is to say while there is no error; may be empty.
	note func() string
}

// indexCheck is whether keys can be decided on, and how old the view is while the API server is away.
func indexCheck(g *gate.Gate, seen gate.View) check {
	return check{"index", g.Ready, func() string {
		if age := seen.Age(); age > 0 {
			return fmt.Sprintf(", as it was %s ago: the API server can't be asked", age.Round(time.Second))
		}
		return ""
	}}
}

// configurationCheck is whether it is known who may do what, and which configuration says so.
func configurationCheck(config *liveconfig.Config) check {
	return check{"configuration", config.Ready, func() string {
		running := config.Running()
		note := fmt.Sprintf(", revision %s since %s", running.Revision, running.Since.UTC().Format(time.RFC3339))
		if err := config.Refused(); err != nil {
			note += fmt.Sprintf(", but a newer one can't be used: %v", err)
		}
		return note
	}}
}

// pepperCheck never fails; it says which keys are refused for want of their pepper.
func pepperCheck(unknown strangers) check {
	return check{"pepper", func() error { return nil }, unknown.note}
}

// databaseCheck fails while the database starts: who is logged in would be nobody meanwhile. After that it never does: no
// key that is decided on needs it.
func databaseCheck(starting, usable func() error) check {
	return check{"database", starting, func() string {
		if err := usable(); err != nil {
			return fmt.Sprintf(" for verification; management is refused: %v", err)
		}
		return ""
	}}
}

// errStopping is what readiness says from the signal on.
var errStopping = errors.New("the server is stopping")

// readiness answers /readyz.
type readiness struct {
	checks   []check
	stopping atomic.Bool
}

// err is the first thing that is not so.
func (r *readiness) err() error {
	if r.stopping.Load() {
		return errStopping
	}
	for _, c := range r.checks {
		if err := c.err(); err != nil {
			return err
		}
	}
	return nil
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
	fail := func(name string, err error) {
		status = http.StatusServiceUnavailable
		fmt.Fprintf(&lines, "[-] %s: %v\n", name, err)
	}
	if r.stopping.Load() {
		fail("shutdown", errStopping)
	}
	for _, c := range r.checks {
		if err := c.err(); err != nil {
			fail(c.name, err)
			continue
		}
		fmt.Fprintf(&lines, "[+] %s: ok%s\n", c.name, c.note())
	}
	return status, lines.String()
}
