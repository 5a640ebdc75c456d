package configrollout

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/kube/serverlease"
)

var start = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// Revisions.
const (
	red  = "aaaaaaaaaaaa"
	blue = "bbbbbbbbbbbb"
)

// far is longer than any test.
const far = time.Hour

// lease is for how long a replica reports at a time.
const lease = 45 * time.Second

// runs returns a replica whose Lease expires after that time since the start.
func runs(name, revision string, until time.Duration) serverlease.Replica {
	return serverlease.Replica{Name: name, Revision: revision, Renewed: start.Add(until - lease), Until: start.Add(until)}
}

// step is one decision.
type step struct {
	// after is the time since the start.
	after    time.Duration
	revision string
	replicas []serverlease.Replica
	// note is a part of the event, empty if none is emitted.
	note string
	// checkAfter is counted from this decision.
	checkAfter time.Duration
}

func replicas(all ...serverlease.Replica) []serverlease.Replica { return all }

// both returns two replicas with these revisions.
func both(one, other string) []serverlease.Replica {
	return replicas(runs("one", one, far), runs("other", other, far))
}

// dying returns a replica that runs blue, and one with red whose Lease expires.
func dying(expires time.Duration) []serverlease.Replica {
	return replicas(runs("one", blue, far), runs("other", red, expires))
}

const (
	bothRunBlue   = "ConfigRunning All 2 replicas run configuration " + blue + "."
	bothRunRed    = "ConfigRunning All 2 replicas run configuration " + red + "."
	onlyRunsBlue  = "ConfigRunning The only replica runs configuration " + blue + "."
	lagsBehindRed = "ConfigLags After 1m0s not every replica runs configuration " + red + ": "
	otherLags     = "ConfigLags After 1m0s not every replica runs configuration " + blue + ": other runs " + red + ". "
)

// settled is a start at which both replicas run the published revision.
var settled = step{0, red, both(red, red), "", 0}

func TestDecide_EmitsEvents(t *testing.T) {
	for name, steps := range map[string][]step{
		"a start without a change": {settled, {time.Second, red, both(red, red), "", 0}},
		"a start before the replicas": {
			{0, red, nil, "", 0},
			{time.Second, red, both(red, red), "", 0},
		},
		"a start with replicas that have no configuration yet": {
			{0, red, both("", red), "", time.Minute},
			{time.Second, red, both(red, red), "", 0},
		},
		"a start in the middle of a change": {
			{0, blue, both(blue, red), "", time.Minute},
			{time.Second, blue, both(blue, blue), bothRunBlue, 0},
		},
		"a start of everything": {
			{0, "", nil, "", 0},
			{time.Second, blue, nil, "", 0},
			{2 * time.Second, blue, replicas(runs("one", "", far)), "", time.Minute},
			{3 * time.Second, blue, replicas(runs("one", blue, far)), onlyRunsBlue, 0},
			{4 * time.Second, blue, both(blue, blue), "", 0},
		},
		"a change": {
			settled,
			{time.Second, blue, both(red, red), "", time.Minute},
			{2 * time.Second, blue, both(red, blue), "", 59 * time.Second},
			{3 * time.Second, blue, both(blue, blue), bothRunBlue, 0},
			{4 * time.Second, blue, both(blue, blue), "", 0},
		},
		"a change that replicas see first": {
			settled,
			{time.Second, red, both(blue, red), "", time.Minute},
			{2 * time.Second, red, both(blue, blue), "", 59 * time.Second},
			{3 * time.Second, blue, both(blue, blue), bothRunBlue, 0},
		},
		"a change and back": {
			settled,
			{time.Second, blue, both(blue, blue), bothRunBlue, 0},
			{2 * time.Second, red, both(blue, red), "", time.Minute},
			{3 * time.Second, red, both(red, red), bothRunRed, 0},
		},
		"a change that is reverted before any replica runs it": {
			settled,
			{time.Second, blue, both(red, red), "", time.Minute},
			{2 * time.Second, red, both(red, red), "", 0},
		},
		"a document that is deleted and restored": {
			settled,
			{time.Second, "", both(red, red), "", 0},
			{2 * time.Second, red, both(red, red), "", 0},
		},
		"a replica that lags for a while": {
			settled,
			{time.Second, blue, both(blue, red), "", time.Minute},
			{61*time.Second - 1, blue, both(blue, red), "", 1},
			{61 * time.Second, blue, both(blue, red), otherLags, 0},
			{62 * time.Second, blue, both(blue, red), "", 0},
			{63 * time.Second, blue, both(blue, blue), bothRunBlue, 0},
			{64 * time.Second, blue, both(blue, blue), "", 0},
		},
		"a replica that lags after all were reported": {
			settled,
			{time.Second, red, both(red, blue), "", time.Minute},
			{61 * time.Second, red, both(red, blue), lagsBehindRed + "other runs " + blue + ".", 0},
			{62 * time.Second, red, both(red, red), bothRunRed, 0},
		},
		"a replica without a configuration": {
			settled,
			{time.Second, red, both(red, ""), "", time.Minute},
			{2 * time.Minute, red, both(red, ""), lagsBehindRed + "other has no configuration.", 0},
		},
		"a minute for each revision": {
			settled,
			{time.Second, blue, both(blue, red), "", time.Minute},
			{59 * time.Second, "cccccccccccc", both(blue, red), "", time.Minute},
			{90 * time.Second, "cccccccccccc", both(blue, "cccccccccccc"), "", 29 * time.Second},
			{119 * time.Second, "cccccccccccc", both(blue, "cccccccccccc"), "one runs " + blue, 0},
		},
		"a minute for each replica": {
			settled,
			{time.Second, blue, both(blue, red), "", time.Minute},
			{40 * time.Second, blue, both(red, red), "", 21 * time.Second},
			{61 * time.Second, blue, both(red, red), otherLags, 39 * time.Second},
			{100 * time.Second, blue, both(red, red), blue + ": one runs " + red + ". ", 0},
			{101 * time.Second, blue, both(red, red), "", 0},
		},
		"a replica that is cut off counts as behind, until its Lease is deleted": {
			settled,
			{time.Second, blue, dying(30 * time.Second), "", time.Minute},
			{30 * time.Second, blue, dying(30 * time.Second), "", 31 * time.Second},
			{61 * time.Second, blue, dying(30 * time.Second), "other has not reported since 2030-01-01T11:59:45Z. ", 0},
			{time.Hour, blue, dying(30 * time.Second), "", 0},
			{time.Hour + 1, blue, replicas(runs("one", blue, 2*far)), onlyRunsBlue, 0},
		},
		"a replica that is cut off counts as behind, until it reports": {
			settled,
			{time.Second, blue, dying(0), "", time.Minute},
			{40 * time.Second, blue, both(blue, blue), bothRunBlue, 0},
		},
		"a replica that is cut off may have run the revision between": {
			settled,
			{20 * time.Second, blue, replicas(runs("one", blue, far), runs("other", red, 30*time.Second)), "", time.Minute},
			{31 * time.Second, red, replicas(runs("one", red, far), runs("other", red, 30*time.Second)), "", time.Minute},
			{91 * time.Second, red, replicas(runs("one", red, far), runs("other", red, 30*time.Second)),
				lagsBehindRed + "other has not reported since ", 0},
		},
		"a replica that is gone after it reported the revision": {
			settled,
			{time.Second, blue, both(blue, blue), bothRunBlue, 0},
			{time.Hour, blue, replicas(runs("one", blue, 2*far), runs("other", blue, 50*time.Second)), "", 0},
		},
		"a start with a replica that is cut off": {
			{0, blue, dying(-time.Hour), "", time.Minute},
			{time.Minute, blue, dying(-time.Hour), "other has not reported since 2030-01-01T10:59:15Z. ", 0},
		},
		"a stopped replica delays nothing": {
			settled,
			{time.Second, blue, replicas(runs("one", blue, far)), onlyRunsBlue, 0},
		},
		"a killed replica after a warning": {
			settled,
			{time.Second, blue, dying(100 * time.Second), "", time.Minute},
			{61 * time.Second, blue, dying(100 * time.Second), otherLags, 0},
			{100 * time.Second, blue, dying(100 * time.Second), "", 0},
			{101 * time.Second, blue, replicas(runs("one", blue, far)), "ConfigRunning The only replica", 0},
		},
		"a replica that comes back with the old revision": {
			settled,
			{time.Second, blue, replicas(runs("one", blue, far)), "ConfigRunning The only replica", 0},
			{time.Minute, blue, both(blue, red), "", time.Minute},
			{2 * time.Minute, blue, both(blue, red), otherLags, 0},
		},
		"replicas that come and go": {
			settled,
			{time.Second, red, replicas(runs("one", red, far)), "", 0},
			{2 * time.Second, red, nil, "", 0},
			{3 * time.Second, red, both(red, red), "", 0},
		},
		"no replica": {
			settled,
			{time.Second, blue, nil, "", 0},
			{time.Hour, blue, nil, "", 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s state
			for i, want := range steps {
				next, event, checkAfter := decide(s, want.revision, want.replicas, start.Add(want.after))
				note := textOf(event)
				if !strings.Contains(note, want.note) || want.note == "" && note != "" {
					t.Errorf("step %d: event %q, want %q", i, note, want.note)
				}
				if checkAfter != want.checkAfter {
					t.Errorf("step %d: check after %s, want %s", i, checkAfter, want.checkAfter)
				}
				s = next
			}
		})
	}
}

func textOf(e *rolloutEvent) string {
	if e == nil {
		return ""
	}
	return e.reason + " " + e.note
}

func TestLagging_NamesFewReplicas(t *testing.T) {
	longest := strings.Repeat("x", 240)
	many := func(n int) (all []serverlease.Replica) {
		for i := range n {
			all = append(all, runs(fmt.Sprintf("%s-%04d", longest, n-i), red, far))
		}
		return all
	}
	for n, part := range map[int]string{
		2:    "-0001 runs " + red + "; " + longest + "-0002 runs " + red + ". ",
		3:    "-0003 runs " + red + ". ",
		4:    "-0003 runs " + red + "; and so on, 4 in all. ",
		2000: "-0003 runs " + red + "; and so on, 2000 in all. ",
	} {
		s, _, _ := decide(state{started: true}, blue, many(n), start)
		s, event, _ := decide(s, blue, many(n), start.Add(time.Minute))
		if !strings.Contains(event.note, part) || len(event.note) > 1024 || event.lease != longest+"-0001" {
			t.Errorf("%d: %d characters related to %s: %s", n, len(event.note), event.lease, event.note)
		}
		if _, event, _ := decide(s, blue, many(n), start.Add(2*time.Minute)); event != nil {
			t.Errorf("%d: warned again: %s", n, event.note)
		}
	}
}
