// Package oddpaths compares how a handler replies to paths that routers may read in more than one way with
// recorded replies. Run the test with -update-paths to record them again.
package oddpaths

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update-paths", false, "record the replies to odd paths again")

var methods = []string{
	"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "PURGE",
}

// Suite is the requests to send: every method, to every path, with every key.
type Suite struct {
	// Golden is the file of recorded replies.
	Golden string
	// Prefix is the pattern under which a ServeMux serves the handler.
	Prefix string
	// Keys are credentials; "" sends none.
	Keys, Paths []string
	// New returns the handler in the same state for each request.
	New func() http.Handler
}

// Check sends all requests, each to the handler and to a ServeMux in front of it.
func (s *Suite) Check(t *testing.T) {
	t.Helper()
	var got strings.Builder
	for _, path := range s.Paths {
		for _, key := range s.Keys {
			fmt.Fprintf(&got, "%s with key %q\n", path, key)
			s.describe(&got, "", path, key, func() http.Handler { return s.New() })
			s.describe(&got, "mux ", path, key, func() http.Handler {
				mux := http.NewServeMux()
				mux.Handle(s.Prefix, s.New())
				return mux
			})
		}
	}
	s.compare(t, got.String())
}

// describe writes one line for all methods with the same reply.
func (*Suite) describe(out *strings.Builder, label, path, key string, handler func() http.Handler) {
	var order []string
	byReply := map[string][]string{}
	for _, method := range methods {
		reply := send(handler(), method, path, key)
		if byReply[reply] == nil {
			order = append(order, reply)
		}
		byReply[reply] = append(byReply[reply], method)
	}
	for _, reply := range order {
		fmt.Fprintf(out, "  %s%s: %s\n", label, strings.Join(byReply[reply], " "), reply)
	}
}

func send(h http.Handler, method, path, key string) string {
	r := httptest.NewRequest(method, path, http.NoBody)
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	reply := fmt.Sprint(w.Code)
	for _, name := range []string{"Allow", "Location", "Content-Type"} {
		if value := w.Header().Get(name); value != "" && value != "application/json" {
			reply += fmt.Sprintf(" %s=%q", name, value)
		}
	}
	return reply + " " + strings.TrimSpace(fmt.Sprintf("%.120s", w.Body.String()))
}

func (s *Suite) compare(t *testing.T, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(s.Golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	recorded, err := os.ReadFile(s.Golden)
	if err != nil {
		t.Fatal(err)
	}
	lines, wanted := strings.Split(got, "\n"), strings.Split(string(recorded), "\n")
	if len(lines) != len(wanted) {
		t.Errorf("%d lines, recorded are %d", len(lines), len(wanted))
	}
	request, failures := "", 0
	for i := range min(len(lines), len(wanted)) {
		if !strings.HasPrefix(lines[i], " ") {
			request = lines[i]
		}
		if lines[i] != wanted[i] && failures < 20 {
			failures++
			t.Errorf("%s\ngot  %s\nwant %s", request, lines[i], wanted[i])
		}
	}
}
