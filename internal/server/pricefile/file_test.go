package pricefile_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/config/prices"
	"keywright.dev/keywright/internal/server/pricefile"
	"keywright.dev/keywright/test/kit"
)

// fixture is a file with prices, and what came of it.
type fixture struct {
	*pricefile.File
	t    *testing.T
	path string
	// used has the models of each version that was used.
	used     []string
	warnings []string
	log      kit.Log
	now      time.Time
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, path: filepath.Join(t.TempDir(), "prices.json"), now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	f.File = pricefile.New(pricefile.Options{
		Path: f.path,
		Use: func(all []prices.Price) {
			models := []string{}
			for i := range all {
				models = append(models, all[i].Model)
			}
			f.used = append(f.used, strings.Join(models, " "))
		},
		Warn: func(text string) { f.warnings = append(f.warnings, text) },
		Now:  func() time.Time { return f.now },
		Log:  slog.New(slog.NewTextHandler(&f.log, nil)),
	})
	return f
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// replace renames a new file, as the kubelet does with what it mounts.
func (f *fixture) replace(content string) {
	f.t.Helper()
	f.must(os.WriteFile(f.path+".new", []byte(content), 0o600))
	f.must(os.Rename(f.path+".new", f.path))
}

func list(model string) string { return "- {model: " + model + ", input: 1, output: 2}\n" }

func liteLLM(model string) string {
	return fmt.Sprintf(`{%q: {"input_cost_per_token": 1e-6, "litellm_provider": "openai"}}`, model)
}

func TestCheck_KeepsTheLastGoodPrices(t *testing.T) {
	f := newFixture(t)
	f.replace(liteLLM("a"))
	f.Check()
	f.Check()
	for name, c := range map[string]struct{ content, want string }{
		"half-written": {liteLLM("b")[:30], "is not JSON: it ends in the middle"},
		"empty":        {"", "is empty"},
		"a typo":       {list("b") + "- {mdl: b}", `entry 2 (line 2) has an unknown field "mdl"`},
		"negative": {
			strings.Replace(liteLLM("b"), "1e-6", "-1e-6", 1), "entry 1 (line 1, column 7): input_cost_per_token is not from 0",
		},
		"not a number":  {strings.Replace(liteLLM("b"), "1e-6", "NaN", 1), "is not JSON near line 1, column 32"},
		"another file":  {`{"name": "app"}`, "entry 1 (line 1, column 10) is not an object"},
		"too large":     {liteLLM("b") + strings.Repeat(" ", config.MaxPriceFile), "is longer than 16 MiB"},
		"binary":        {"\x00\x01\x02\xff", "is not YAML"},
		"without price": {"{}", "has no price of tokens"},
	} {
		f.warnings = nil
		f.replace(c.content)
		f.Check()
		f.Check()
		if len(f.warnings) != 1 || !strings.Contains(f.warnings[0], f.path+", "+c.want) || !f.Refused() {
			t.Errorf("%s: %q, refused %t", name, f.warnings, f.Refused())
		}
		if n := len(f.log.Lines("can't be used")); n != 1 {
			t.Errorf("%s: logged %d times", name, n)
		}
		f.log.Take()
	}
	if !slices.Equal(f.used, []string{"a"}) {
		t.Errorf("used %q", f.used)
	}
	f.replace(list("c") + list("b"))
	f.Check()
	if !slices.Equal(f.used, []string{"a", "b c"}) || f.Refused() || len(f.log.Lines("is in use")) != 1 {
		t.Errorf("used %q, refused %t", f.used, f.Refused())
	}
}

func TestCheck_FileThatIsNotThere(t *testing.T) {
	f := newFixture(t)
	f.Check()
	f.must(os.Mkdir(f.path, 0o700))
	f.Check()
	f.must(os.Remove(f.path))
	f.replace(list("a"))
	f.Check()
	f.must(os.Remove(f.path))
	f.Check()
	if !slices.Equal(f.used, []string{"a"}) || !f.Refused() {
		t.Errorf("used %q, refused %t", f.used, f.Refused())
	}
	for i, want := range []string{"does not exist", "is not a file", "does not exist"} {
		if len(f.warnings) != 3 || !strings.Contains(f.warnings[i], want) {
			t.Errorf("%q, want %s", f.warnings, want)
		}
	}
	// The same file again is read again.
	f.replace(list("a"))
	f.Check()
	if !slices.Equal(f.used, []string{"a", "a"}) || f.Refused() {
		t.Errorf("used %q, refused %t", f.used, f.Refused())
	}
}

// The API server keeps an event for an hour.
func TestCheck_WarnsAgain(t *testing.T) {
	f := newFixture(t)
	f.replace("x")
	for _, step := range []struct {
		after    time.Duration
		warnings int
	}{{0, 1}, {54 * time.Minute, 1}, {2 * time.Minute, 2}, {time.Minute, 2}} {
		f.now = f.now.Add(step.after)
		f.Check()
		if len(f.warnings) != step.warnings {
			t.Errorf("%s: %d warnings", f.now, len(f.warnings))
		}
	}
	if n := len(f.log.Lines("can't be used")); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// A mounted ConfigMap changes by a symbolic link to another folder.
func TestRun_FollowsSymbolicLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		folder := filepath.Dir(f.path)
		for _, version := range []string{"a", "b"} {
			f.must(os.Mkdir(filepath.Join(folder, version), 0o700))
			f.must(os.WriteFile(filepath.Join(folder, version, "prices.json"), []byte(list(version)), 0o600))
		}
		f.must(os.Symlink("a", filepath.Join(folder, "..data")))
		f.must(os.Symlink(filepath.Join("..data", "prices.json"), f.path))
		ctx, stop := context.WithCancel(t.Context())
		go f.Run(ctx)
		time.Sleep(11 * time.Second)
		synctest.Wait()
		f.must(os.Symlink("b", filepath.Join(folder, "..next")))
		f.must(os.Rename(filepath.Join(folder, "..next"), filepath.Join(folder, "..data")))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		stop()
		synctest.Wait()
		if !slices.Equal(f.used, []string{"a", "b"}) {
			t.Errorf("used %q", f.used)
		}
	})
}
