package configrollout

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/serverlease"
)

// cluster is a randomly changing cluster.
type cluster struct {
	revision string
	replicas map[string]serverlease.Replica
	now      time.Time
	state    state
	// reason is that of the last event, of its revision.
	reason, of string
	// wake is when the next check is due. Zero: never.
	wake time.Time
}

func (c *cluster) all() []serverlease.Replica { return slices.Collect(maps.Values(c.replicas)) }

func (c *cluster) change(t *rapid.T) {
	revisions := rapid.SampledFrom([]string{red, blue, "cccccccccccc"})
	name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "replica")
	kinds := []string{"edit", "delete", "report", "report", "follow", "follow", "stop", "time", "wake", "wake"}
	switch rapid.SampledFrom(kinds).Draw(t, "what") {
	case "edit":
		c.revision = revisions.Draw(t, "revision")
	case "delete":
		c.revision = ""
	case "report":
		revision := rapid.OneOf(revisions, rapid.Just("")).Draw(t, "reported")
		c.replicas[name] = runs(name, revision, c.now.Sub(start)+lease)
	case "follow":
		c.replicas[name] = runs(name, c.revision, c.now.Sub(start)+lease)
	case "stop":
		delete(c.replicas, name)
	case "time":
		c.now = c.now.Add(time.Duration(rapid.IntRange(1, 50).Draw(t, "seconds")) * time.Second)
	case "wake":
		if !c.wake.IsZero() {
			c.now = c.wake
		}
	}
}

// decide makes a decision and checks its properties.
func (c *cluster) decide(t *rapid.T) {
	before, behindBefore := c.state, maps.Clone(c.state.behind)
	next, event, checkAfter := decide(c.state, c.revision, c.all(), c.now)
	if !reflect.DeepEqual(before.behind, behindBefore) {
		t.Fatal("the given state was changed")
	}
	// A replica whose Lease expired before the revision was published may run anything.
	behind := slices.DeleteFunc(c.all(), func(r serverlease.Replica) bool {
		return r.Revision == c.revision && (c.now.Before(r.Until) || !r.Renewed.Before(next.published))
	})
	allRun := c.revision != "" && len(c.replicas) > 0 && len(behind) == 0
	switch {
	case event == nil:
	case c.revision == "":
		t.Fatalf("an event without a document: %s", event.note)
	case (event.reason == v1alpha1.EventConfigRunning) != allRun:
		t.Fatalf("event %s; replicas %v", event.note, c.replicas)
	case event.reason == v1alpha1.EventConfigRunning && c.reason == event.reason && c.of == c.revision:
		t.Fatal("reported twice: ", event.note)
	}
	if allRun && next.reported != c.revision {
		t.Fatal("a complete rollout is not reported")
	}
	unwarned := func(r serverlease.Replica) bool { return !next.behind[r.Name].warned }
	if waits := c.revision != "" && slices.ContainsFunc(behind, unwarned); waits != (checkAfter > 0) {
		t.Fatalf("%d are behind, check after %s", len(behind), checkAfter)
	}
	if c.revision != "" && len(next.behind) != len(behind) {
		t.Fatalf("tracks %v, behind are %v", next.behind, behind)
	}
	if event != nil {
		c.reason, c.of = event.reason, c.revision
	}
	c.state, c.wake = next, time.Time{}
	if checkAfter > 0 {
		c.wake = c.now.Add(checkAfter)
	}
}

// In any order of events, every report is true and made once, a check is due while a replica is behind, and a second
// decision in the same instant changes nothing.
func TestDecide_ReportsAreTrueAndMadeOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &cluster{now: start, replicas: map[string]serverlease.Replica{}}
		for range rapid.IntRange(1, 60).Draw(t, "changes") {
			c.change(t)
			c.decide(t)
			if _, event, _ := decide(c.state, c.revision, c.all(), c.now); event != nil {
				t.Fatal("reported by the next decision too: ", event.note)
			}
		}
	})
}

// If every check is made when it is due, a replica that is behind for a minute causes a warning.
func TestDecide_WarnsInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &cluster{now: start, revision: blue, replicas: map[string]serverlease.Replica{}, state: state{started: true}}
		names := []string{"a", "b", "c"}
		for _, name := range names {
			lives := time.Duration(rapid.IntRange(1, 120).Draw(t, name)) * time.Second
			c.replicas[name] = serverlease.Replica{Name: name, Revision: red, Renewed: start, Until: start.Add(lives)}
		}
		warned := map[string]bool{}
		for c.decide(t); !c.wake.IsZero(); c.decide(t) {
			c.now = c.wake
		}
		for name, l := range c.state.behind {
			warned[name] = l.warned
		}
		for _, name := range names {
			if !warned[name] {
				t.Fatalf("no warning of %s", name)
			}
		}
		if c.now.Sub(start) > 2*time.Minute {
			t.Fatalf("the last check was after %s", c.now.Sub(start))
		}
	})
}
