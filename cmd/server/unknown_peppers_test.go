package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
)

func TestUnknownPeppers_AreInMetricsAndReadyz(t *testing.T) {
	lost := pepper.Digest{PepperID: "0badcafe"}
	s := newEnv(t, still{}, verify.Key{Digest: lost})
	if body := ask(s.metered, "GET", "/metrics", nil).Body.String(); !strings.Contains(
		body, "\nkeywright_keys_unknown_pepper 1\n",
	) {
		t.Error("the metric is missing")
	}
	got := ask(s.main, "GET", "/readyz?verbose", nil)
	if want := "[+] pepper: ok, but recorded keys are refused because their pepper is not mounted: " +
		"0badcafe\n"; got.Code != http.StatusOK || !strings.HasSuffix(got.Body.String(), want) {
		t.Errorf("/readyz: %d %s", got.Code, got.Body)
	}
}

func TestUnknownPeppers_AreLoggedOnce(t *testing.T) {
	var out bytes.Buffer
	log, reported := slog.New(slog.NewTextHandler(&out, nil)), map[string]bool{}
	for _, step := range []struct {
		what    string
		unknown map[string]int
		lines   []string
	}{
		{"no unknown pepper", nil, nil},
		{"one", map[string]int{"aaaaaaaa": 2}, []string{"pepper=aaaaaaaa keys=2"}},
		{
			"two more", map[string]int{"aaaaaaaa": 3, "bbbbbbbb": 1, "cccccccc": 1},
			[]string{"pepper=bbbbbbbb keys=1", "pepper=cccccccc keys=1"},
		},
		{"gone", nil, nil},
		{"back", map[string]int{"aaaaaaaa": 2}, nil},
	} {
		out.Reset()
		unknownPeppers(func() map[string]int { return step.unknown }).report(reported, log)
		got := slices.Collect(strings.Lines(out.String()))
		if !slices.EqualFunc(got, step.lines, func(line, want string) bool {
			return strings.Contains(line, want) && strings.Contains(line, "level=WARN")
		}) {
			t.Errorf("%s: got %s, want %s", step.what, got, step.lines)
		}
	}
}

func TestUnknownPeppers_AreCheckedUntilTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int32
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		unknownPeppers(func() map[string]int { looks.Add(1); return nil }).follow(
			ctx, time.Second, slog.New(slog.DiscardHandler),
		)
		if looks.Load() != 3 {
			t.Errorf("%d checks in 3.5 s", looks.Load())
		}
	})
}
