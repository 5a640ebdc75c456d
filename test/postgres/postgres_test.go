package postgres

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

func TestServer_RestartsWithItsData(t *testing.T) {
	s := Start(t)
	url, err := s.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := Do(t.Context(), url, "CREATE TABLE kept (one int)"); err != nil {
		t.Fatal(err)
	}
	for how, end := range map[string]func() error{"stop": s.Stop, "crash": s.Crash} {
		if err := end(); err != nil {
			t.Fatal(how, ": ", err)
		}
		if err := Do(t.Context(), url, "SELECT 1"); err == nil {
			t.Fatal(how, ": it still answers")
		}
		if err := s.Start(); err != nil {
			t.Fatal(how, ": ", err)
		}
		if err := Do(t.Context(), url, "SELECT one FROM kept"); err != nil {
			t.Fatal(how, ": ", err)
		}
	}
}

// If the test process is killed, its keeper sees only the end of its standard input.
func TestServer_LeavesNothingBehind(t *testing.T) {
	var s *Server
	t.Run("while it runs", func(t *testing.T) {
		s = Start(t)
		if info, err := os.Stat(s.data()); err != nil || info.Mode().Perm() != 0o700 {
			t.Error(info, err)
		}
	})
	if s == nil {
		t.Skip(Missing)
	}
	if _, err := os.Stat(s.folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", s.folder, err)
	}
	if err := Do(t.Context(), s.URL(), "SELECT 1"); err == nil {
		t.Error("it still answers")
	}
}
