package configrollout

import (
	"cmp"
	"fmt"
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
	// renewed is when it last reported, and until when its Lease expires.
	renewed, until time.Time
}

// lapsed reports whether the Lease has expired without a release: the replica is gone, or cut off from the API server.
func (r replica) lapsed(now time.Time) bool { return !now.Before(r.until) }

// describe says what a replica runs, as far as it is known.
func (r replica) describe(now time.Time) string {
	switch {
	case r.lapsed(now):
		return fmt.Sprintf("%s has not reported since %s", r.name, r.renewed.UTC().Format(time.RFC3339))
	case r.revision == "":
		return r.name + " has no configuration"
	}
	return r.name + " runs " + r.revision
}

// revisionFormat is the format of revisions. Any client with access to Leases may write other text, which must
// not get into events.
var revisionFormat = regexp.MustCompile(`^[0-9a-f]{12}$`)

// readReplicas returns the replicas that hold a Lease. A replica releases its Lease when it stops. The Lease of a Pod
// is deleted with the Pod.
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
	r := replica{name: l.Name, renewed: s.RenewTime.Time}
	r.until = r.renewed.Add(time.Duration(*s.LeaseDurationSeconds) * time.Second)
	if revision := l.Annotations[v1alpha1.AnnotationConfiguration]; revisionFormat.MatchString(revision) {
		r.revision = revision
	}
	return r, true
}

// sorted returns the replicas by name.
func sorted(all []replica) []replica {
	return slices.SortedFunc(slices.Values(all), func(a, b replica) int { return cmp.Compare(a.name, b.name) })
}
