package configrollout

import (
	"cmp"
	"slices"
	"time"
)

// patience is for how long a server may run another configuration without a word about it.
const patience = time.Minute

// replica is one server, as it says itself.
type replica struct {
	// name is that of its Lease.
	name string
	// runs is the revision of its configuration. Empty: it has none yet.
	runs string
	// until is when it counts as gone unless it is heard of again.
	until time.Time
}

// memory is what one look leaves for the next. Its zero value is that of a start.
type memory struct {
	// begun says that there was a look.
	begun bool
	// document is the revision that was seen last.
	document string
	// told is the revision of which it was told last that all servers run it, or that a start found so. Empty:
	// of none.
	told string
	// behind are the servers that run another one, by their names.
	behind map[string]lag
}

// lag is what is known of one that is behind.
type lag struct {
	since  time.Time
	warned bool
}

// decide takes a look: at the revision of the document that the servers are to run, empty where there is none,
// and at those that have not said goodbye. It returns what to remember, what to tell, if anything, and how long
// from now to look again though nothing changes; 0: not before something does.
func decide(m memory, document string, all []replica, now time.Time) (memory, *note, time.Duration) {
	if document == "" {
		// Deleted, which changes nothing that runs: it is put back.
		m.begun = true
		return m, nil, 0
	}
	live := alive(all, now)
	m = m.meet(document, live)
	behind := slices.DeleteFunc(slices.Clone(live), func(r replica) bool { return r.runs == document })
	m.behind = follow(m.behind, behind, now)
	if len(behind) > 0 {
		return m.chase(behind, now)
	}
	return m.settle(len(live))
}

// settle tells that all servers run the document, once.
func (m memory) settle(servers int) (memory, *note, time.Duration) {
	if servers == 0 || m.told == m.document {
		return m, nil, 0
	}
	m.told = m.document
	return m, running(m.document, servers), 0
}

// chase tells of those that take too long, each once.
func (m memory) chase(behind []replica, now time.Time) (memory, *note, time.Duration) {
	overdue := m.overdue(behind, now)
	if len(overdue) == 0 {
		return m, nil, m.next(behind, now)
	}
	for _, r := range overdue {
		m.behind[r.name] = lag{since: m.behind[r.name].since, warned: true} // the map is this look's own
	}
	// That it is over will be worth telling, whatever was told before.
	m.told = ""
	return m, lags(m.document, overdue), m.next(behind, now)
}

// alive leaves out those that were not heard of for too long, and brings the others in order.
func alive(all []replica, now time.Time) []replica {
	live := slices.DeleteFunc(slices.Clone(all), func(r replica) bool { return !now.Before(r.until) })
	slices.SortFunc(live, func(a, b replica) int { return cmp.Compare(a.name, b.name) })
	return live
}

// meet takes note of a document. What a start finds is as it was, unless a server has something else still.
func (m memory) meet(document string, live []replica) memory {
	if m.document != document {
		m.behind = nil
	}
	another := func(r replica) bool { return r.runs != "" && r.runs != document }
	if !m.begun && !slices.ContainsFunc(live, another) {
		m.told = document
	}
	m.begun, m.document = true, document
	return m
}

// follow keeps what is known of those that are behind still.
func follow(known map[string]lag, behind []replica, now time.Time) map[string]lag {
	next := make(map[string]lag, len(behind))
	for _, r := range behind {
		next[r.name] = lag{since: now}
		if l, is := known[r.name]; is {
			next[r.name] = l
		}
	}
	return next
}

// overdue are those of which it is time to tell.
func (m memory) overdue(behind []replica, now time.Time) []replica {
	return slices.DeleteFunc(slices.Clone(behind), func(r replica) bool {
		l := m.behind[r.name]
		return l.warned || now.Before(l.since.Add(patience))
	})
}

// next is when the first of those behind is overdue or gone.
func (m memory) next(behind []replica, now time.Time) time.Duration {
	var soonest time.Duration
	for _, r := range behind {
		in := r.until.Sub(now)
		if l := m.behind[r.name]; !l.warned {
			in = min(in, l.since.Add(patience).Sub(now))
		}
		if soonest == 0 || in < soonest {
			soonest = in
		}
	}
	return soonest
}
