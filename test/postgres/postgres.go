package postgres

import (
	"fmt"
	"os"
)

// T is a test: a *testing.T or GinkgoT().
type T interface {
	Helper()
	Cleanup(func())
	Skipf(format string, words ...any)
	Fatalf(format string, words ...any)
}

// Start runs a server until the test ends. If PostgreSQL is not installed, the test is skipped, or fails in CI.
func Start(t T) *Server {
	t.Helper()
	return start(t, nil)
}

func start(t T, with *secure) *Server {
	t.Helper()
	if Installed() == "" {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s", Missing)
		}
		fmt.Println(Missing)
		t.Skipf("%s", Missing)
	}
	s, err := install(with)
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Fatalf("end PostgreSQL: %v", err)
		}
	})
	return s
}
