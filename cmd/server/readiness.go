package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/manage/revokedkeys"
	"keywright.dev/keywright/internal/manage/usage/book"
	"keywright.dev/keywright/internal/server/liveconfig"
)

// check is one condition of readiness.
type check struct {
	name string
	err  func() error
	// note returns a text to show while there is no error. It may be empty.
	note func() string
}

// view is the copy of the cluster's objects.
type view interface {
	gate.View
	// Failing returns why the age grows, or nil.
	Failing() error
	// Restores returns how often older data replaced the view.
	Restores() int
}

// indexCheck fails until the gate can decide. Its note has the age of the view.
func indexCheck(g *gate.Gate, v view) check {
	return check{"index", g.Ready, func() string {
		note := fmt.Sprintf(", as it was %s ago", v.Age().Round(time.Second))
		if v.Failing() != nil {
			note += ": the API server does not answer"
		}
		return note
	}}
}

// configurationCheck fails without a runtime configuration. Its note has the revision.
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

// pepperCheck never fails. Its note has the peppers that are not mounted.
func pepperCheck(unknown unknownPeppers) check {
	return check{"pepper", func() error { return nil }, unknown.note}
}

// databaseCheck fails until the database has answered once or the wait is over: sessions would be refused
// meanwhile. Later it never fails, because the verification of keys does not need the database.
func databaseCheck(starting, usable func() error, volume volumeState) check {
	return check{"database", starting, func() string {
		if err := usable(); err != nil {
			return fmt.Sprintf(" for verification; management is refused: %v", err)
		}
		return volume.note()
	}}
}

// firstError combines checks.
func firstError(checks ...func() error) func() error {
	return func() error {
		for _, err := range checks {
			if err := err(); err != nil {
				return err
			}
		}
		return nil
	}
}

// revokedKeysCheck fails while the revoked keys are read for the first time. Without the database it does not fail: its
// note says that keys may be accepted which were revoked before.
func revokedKeysCheck(revoked *revokedkeys.Memory) check {
	return check{"revoked-keys", revoked.Starting, func() string {
		if !revoked.Loaded() {
			return ", but those in the database have not been read: only what objects name as revoked is refused"
		}
		if waiting := revoked.Waiting(); waiting > 0 {
			return fmt.Sprintf(", %d wait for the database", waiting)
		}
		return ""
	}}
}

// budgetsCheck fails while the counters of budgets are read for the first time: a replica that knows none lets requests
// through.
func budgetsCheck(budgets *book.Book) check {
	return check{"budgets", budgets.Starting, func() string { return "" }}
}

// errStopping is the error from the signal to stop onwards.
var errStopping = errors.New("the server is stopping")

// readiness serves /readyz.
type readiness struct {
	checks   []check
	stopping atomic.Bool
}

func newReadiness(checks ...check) *readiness { return &readiness{checks: checks} }

// err returns the first error of the checks.
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

// metric returns the gauge of readiness.
func (r *readiness) metric() prometheus.Collector {
	return gauge("keywright_ready", "1 while /readyz replies 200, else 0.", func() float64 {
		if r.err() != nil {
			return 0
		}
		return 1
	})
}

// ServeHTTP replies 200 or 503. With ?verbose it lists the checks.
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
