package configrollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/serverlease"
)

// lagTimeout is how long a replica may run another configuration before a warning.
const lagTimeout = time.Minute

// state is what one reconcile keeps for the next. Its zero value is the state at a start.
type state struct {
	// started is true after the first reconcile.
	started bool
	// revision is the last published revision.
	revision string
	// published is when that was first seen. Zero: before the start.
	published time.Time
	// reported is the revision that all replicas were last reported to run, or were found to run at the start.
	// Empty: none.
	reported string
	// behind has the replicas that run another revision, by name.
	behind map[string]lag
}

// lag is how long a replica has been behind.
type lag struct {
	since  time.Time
	warned bool
}

// decide compares the published revision, or "" if there is none, with what the replicas run. It returns the
// next state, the event to emit, if any, and when to check again although nothing changes; 0: never.
func decide(s state, revision string, all []serverlease.Replica, now time.Time) (state, *rolloutEvent, time.Duration) {
	if revision == "" {
		// The document was deleted. The replicas keep theirs, and the compiler restores it.
		s.started = true
		return s, nil, 0
	}
	all = serverlease.Sorted(all)
	s = s.observe(revision, all, now)
	behind := slices.DeleteFunc(slices.Clone(all), func(r serverlease.Replica) bool { return s.isRunBy(r, now) })
	s.behind = track(s.behind, behind, now)
	if len(behind) > 0 {
		return s.warnOverdue(behind, now)
	}
	return s.reportComplete(len(all))
}

// isRunBy reports whether a replica is known to run the revision. After its Lease has expired, only a report since the
// revision was published counts: the replica may be cut off and still answer requests, with any earlier configuration.
func (s state) isRunBy(r serverlease.Replica, now time.Time) bool {
	return r.Revision == s.revision && (!r.Lapsed(now) || !r.Renewed.Before(s.published))
}

// reportComplete reports once that all replicas run the revision.
func (s state) reportComplete(replicas int) (state, *rolloutEvent, time.Duration) {
	if replicas == 0 || s.reported == s.revision {
		return s, nil, 0
	}
	s.reported = s.revision
	return s, complete(s.revision, replicas), 0
}

// warnOverdue warns once of each replica that takes too long.
func (s state) warnOverdue(behind []serverlease.Replica, now time.Time) (state, *rolloutEvent, time.Duration) {
	overdue := s.overdue(behind, now)
	if len(overdue) == 0 {
		return s, nil, s.nextCheck(behind, now)
	}
	for _, r := range overdue {
		s.behind[r.Name] = lag{since: s.behind[r.Name].since, warned: true} // track made this map for this state
	}
	// After a warning, the end of the rollout is reported again.
	s.reported = ""
	return s, lagging(s.revision, overdue, now), s.nextCheck(behind, now)
}

// observe records the published revision. At a start, replicas that all run it already are not reported.
func (s state) observe(revision string, all []serverlease.Replica, now time.Time) state {
	if s.revision != revision {
		s.behind = nil
	}
	if s.started && s.revision != revision {
		s.published = now
	}
	runsAnother := func(r serverlease.Replica) bool { return r.Revision != "" && r.Revision != revision }
	if !s.started && !slices.ContainsFunc(all, runsAnother) {
		s.reported = revision
	}
	s.started, s.revision = true, revision
	return s
}

// track keeps the lag of replicas that are still behind, and starts one for those that are newly behind.
func track(before map[string]lag, behind []serverlease.Replica, now time.Time) map[string]lag {
	next := make(map[string]lag, len(behind))
	for _, r := range behind {
		next[r.Name] = lag{since: now}
		if l, found := before[r.Name]; found {
			next[r.Name] = l
		}
	}
	return next
}

// overdue returns the replicas that are to be warned of now.
func (s state) overdue(behind []serverlease.Replica, now time.Time) []serverlease.Replica {
	return slices.DeleteFunc(slices.Clone(behind), func(r serverlease.Replica) bool {
		l := s.behind[r.Name]
		return l.warned || now.Before(l.since.Add(lagTimeout))
	})
}

// nextCheck returns when the first replica without a warning so far becomes overdue. 0: no replica will.
func (s state) nextCheck(behind []serverlease.Replica, now time.Time) time.Duration {
	var soonest time.Duration
	for _, r := range behind {
		l := s.behind[r.Name]
		if in := l.since.Add(lagTimeout).Sub(now); !l.warned && (soonest == 0 || in < soonest) {
			soonest = in
		}
	}
	return soonest
}

// rolloutEvent is an event to emit.
type rolloutEvent struct {
	kind, reason, action, note string
	// lease is the name of the related Lease. Empty: the event relates to the document.
	lease string
}

func complete(revision string, replicas int) *rolloutEvent {
	note := fmt.Sprintf("All %d replicas run configuration %s.", replicas, revision)
	if replicas == 1 {
		note = fmt.Sprintf("The only replica runs configuration %s.", revision)
	}
	return &rolloutEvent{kind: corev1.EventTypeNormal, reason: v1alpha1.EventConfigRunning, action: "Run", note: note}
}

// maxNamed keeps a note far below the limit of 1024 characters, however long the names are.
const maxNamed = 3

func lagging(revision string, overdue []serverlease.Replica, now time.Time) *rolloutEvent {
	named := make([]string, 0, maxNamed+1)
	for i, r := range overdue {
		if i == maxNamed {
			named = append(named, fmt.Sprintf("and so on, %d in all", len(overdue)))
			break
		}
		named = append(named, describe(&r, now))
	}
	note := fmt.Sprintf(
		"After %s not every replica runs configuration %s: %s. The logs of these replicas have the reason.",
		lagTimeout, revision, strings.Join(named, "; "))
	return &rolloutEvent{
		kind: corev1.EventTypeWarning, reason: v1alpha1.EventConfigLags, action: "Run", note: note, lease: overdue[0].Name,
	}
}
