package configrollout

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"keywright.dev/keywright/api/v1alpha1"
)

// replica is one replica of the server, as its Lease describes it.
type replica struct {
	// name is the name of its Lease.
	name string
	// revision is the revision of the configuration that it runs. Empty: it has no configuration yet.
	revision string
	// until is when its Lease expires.
	until time.Time
}

func (r replica) String() string {
	if r.revision == "" {
		return r.name + " has no configuration"
	}
	return r.name + " runs " + r.revision
}

// revisionFormat is the format of revisions. Any client with access to Leases may write other text, which must
// not get into events.
var revisionFormat = regexp.MustCompile(`^[0-9a-f]{12}$`)

// readReplicas returns the replicas that hold a Lease. A replica releases its Lease when it stops.
func readReplicas(leases []coordinationv1.Lease) []replica {
	var all []replica
	for i := range leases {
		if r, ok := readReplica(&leases[i]); ok {
			all = append(all, r)
		}
	}
	return all
}

func readReplica(l *coordinationv1.Lease) (replica, bool) {
	s := &l.Spec
	if !strings.HasPrefix(l.Name, v1alpha1.ServerLeasePrefix) || !l.DeletionTimestamp.IsZero() ||
		s.HolderIdentity == nil || *s.HolderIdentity == "" || s.RenewTime == nil || s.LeaseDurationSeconds == nil {
		return replica{}, false
	}
	r := replica{name: l.Name, until: s.RenewTime.Add(time.Duration(*s.LeaseDurationSeconds) * time.Second)}
	if revision := l.Annotations[v1alpha1.AnnotationConfiguration]; revisionFormat.MatchString(revision) {
		r.revision = revision
	}
	return r, true
}

// running returns the replicas whose Lease has not expired, sorted by name.
func running(all []replica, now time.Time) []replica {
	live := slices.DeleteFunc(slices.Clone(all), func(r replica) bool { return !now.Before(r.until) })
	slices.SortFunc(live, func(a, b replica) int { return cmp.Compare(a.name, b.name) })
	return live
}
