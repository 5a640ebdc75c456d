package configrollout

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/api/v1alpha1"
)

// world is what the looks are at: it changes by chance.
type world struct {
	document string
	servers  map[string]replica
	now      time.Time
	memory   memory
	// told is the last thing told, with the document it was about.
	told, of string
	// wake is when a look was asked for; zero: at no time.
	wake time.Time
}

func (w *world) all() []replica { return slices.Collect(maps.Values(w.servers)) }

func (w *world) change(t *rapid.T) {
	revisions := rapid.SampledFrom([]string{red, blue, "cccccccccccc"})
	name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "server")
	switch rapid.SampledFrom([]string{"edit", "delete", "heard", "heard", "follows", "follows", "leaves", "time", "woken", "woken"}).Draw(t, "what") {
	case "edit":
		w.document = revisions.Draw(t, "document")
	case "delete":
		w.document = ""
	case "heard":
		runs := rapid.OneOf(revisions, rapid.Just("")).Draw(t, "runs")
		w.servers[name] = replica{name, runs, w.now.Add(45 * time.Second)}
	case "follows":
		w.servers[name] = replica{name, w.document, w.now.Add(45 * time.Second)}
	case "leaves":
		delete(w.servers, name)
	case "time":
		w.now = w.now.Add(time.Duration(rapid.IntRange(1, 50).Draw(t, "seconds")) * time.Second)
	case "woken":
		if !w.wake.IsZero() {
			w.now = w.wake
		}
	}
}

// look takes one and checks what is true of each.
func (w *world) look(t *rapid.T) {
	before, remembered := w.memory, maps.Clone(w.memory.behind)
	next, say, again := decide(w.memory, w.document, w.all(), w.now)
	if !reflect.DeepEqual(before.behind, remembered) {
		t.Fatal("it changed what it was given")
	}
	live := alive(w.all(), w.now)
	behind := slices.DeleteFunc(slices.Clone(live), func(r replica) bool { return r.runs == w.document })
	allRun := w.document != "" && len(live) > 0 && len(behind) == 0
	switch {
	case say == nil:
	case w.document == "":
		t.Fatalf("told without a document: %s", say.text)
	case (say.reason == v1alpha1.EventConfigRunning) != allRun:
		t.Fatalf("told %s; live %v", say.text, live)
	case say.reason == v1alpha1.EventConfigRunning && w.told == say.reason && w.of == w.document:
		t.Fatal("told twice: ", say.text)
	}
	if allRun && next.told != w.document {
		t.Fatal("all run it, and it is not told")
	}
	if waits := w.document != "" && len(behind) > 0; waits != (again > 0) {
		t.Fatalf("%d are behind, again in %s", len(behind), again)
	}
	if w.document != "" && len(next.behind) != len(behind) {
		t.Fatalf("remembers %v, behind are %v", next.behind, behind)
	}
	if say != nil {
		w.told, w.of = say.reason, w.document
	}
	w.memory, w.wake = next, time.Time{}
	if again > 0 {
		w.wake = w.now.Add(again)
	}
}

// Whatever happens in whatever order: what is told is true, and told once; while somebody is behind there is a
// time at which to look again; and two looks in the same instant are as good as one.
func TestWhateverHappensWhatIsToldIsTrueAndToldOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{now: start, servers: map[string]replica{}}
		for range rapid.IntRange(1, 60).Draw(t, "changes") {
			w.change(t)
			w.look(t)
			if _, say, _ := decide(w.memory, w.document, w.all(), w.now); say != nil {
				t.Fatal("told at the next look too: ", say.text)
			}
		}
	})
}

// Nobody is behind for longer than a minute without a word, if looks are taken at the times that were asked for.
func TestWhoeverIsBehindIsToldOfInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{now: start, document: blue, servers: map[string]replica{}, memory: memory{begun: true}}
		names := []string{"a", "b", "c"}
		for _, name := range names {
			lives := time.Duration(rapid.IntRange(1, 120).Draw(t, name)) * time.Second
			w.servers[name] = replica{name, red, start.Add(lives)}
		}
		named := map[string]bool{}
		for w.look(t); !w.wake.IsZero(); w.look(t) {
			w.now = w.wake
		}
		for name, l := range w.memory.behind {
			named[name] = l.warned
		}
		for _, name := range names {
			if w.now.Before(w.servers[name].until) && !named[name] {
				t.Fatalf("nothing was told of %s", name)
			}
		}
		if w.now.Sub(start) > 2*time.Minute {
			t.Fatalf("the last look was after %s", w.now.Sub(start))
		}
	})
}
