// Package serverlease reads the Leases with which the replicas of the server report the configuration that they run.
package serverlease

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"keywright.dev/keywright/api/v1alpha1"
)

// Replica is one replica of the server, as its Lease describes it.
type Replica struct {
	// Name is the name of its Lease.
	Name string
	// Revision is the revision of the configuration that it runs. Empty: it has no configuration yet.
	Revision string
	// HasDatabase reports whether its database has answered since its start.
	HasDatabase bool
	// Renewed is when it last reported, and Until when its Lease expires.
	Renewed, Until time.Time
}

// Answered is the value of AnnotationDatabase.
const Answered = "answered"

// Lapsed reports whether the Lease has expired without a release: the replica is gone, or cut off from the API server.
func (r Replica) Lapsed(now time.Time) bool { return !now.Before(r.Until) }

// revisionFormat is the format of revisions. Any client with access to Leases may write other text, which must
// not get into events or pages.
var revisionFormat = regexp.MustCompile(`^[0-9a-f]{12}$`)

// Read returns the replicas that hold a Lease. A replica releases its Lease when it stops. The Lease of a Pod is
// deleted with the Pod.
func Read(leases []coordinationv1.Lease) []Replica {
	var all []Replica
	for i := range leases {
		if r, ok := read(&leases[i]); ok {
			all = append(all, r)
		}
	}
	return all
}

func read(l *coordinationv1.Lease) (Replica, bool) {
	s := &l.Spec
	if !strings.HasPrefix(l.Name, v1alpha1.ServerLeasePrefix) || !l.DeletionTimestamp.IsZero() ||
		s.HolderIdentity == nil || *s.HolderIdentity == "" || s.RenewTime == nil || s.LeaseDurationSeconds == nil ||
		Restored(l) {
		return Replica{}, false
	}
	r := Replica{Name: l.Name, Renewed: s.RenewTime.Time, Until: until(s)}
	if revision := l.Annotations[v1alpha1.AnnotationConfiguration]; revisionFormat.MatchString(revision) {
		r.Revision = revision
	}
	r.HasDatabase = l.Annotations[v1alpha1.AnnotationDatabase] == Answered
	return r, true
}

// until returns when a Lease expires. The zero time is that of one without a time or a duration.
func until(s *coordinationv1.LeaseSpec) time.Time {
	if s.RenewTime == nil || s.LeaseDurationSeconds == nil {
		return time.Time{}
	}
	return s.RenewTime.Add(time.Duration(*s.LeaseDurationSeconds) * time.Second)
}

// maxSkew is more than the clocks of a replica and of the API server are apart.
const maxSkew = 5 * time.Minute

// Restored reports whether a Lease had expired long before it was created. It came from a backup, without the Pod with
// which it would be deleted: the replica that held it was one of the former cluster.
func Restored(l *coordinationv1.Lease) bool {
	end := until(&l.Spec)
	return !end.IsZero() && end.Add(maxSkew).Before(l.CreationTimestamp.Time)
}

// Sorted returns the replicas by name.
func Sorted(all []Replica) []Replica {
	return slices.SortedFunc(slices.Values(all), func(a, b Replica) int { return cmp.Compare(a.Name, b.Name) })
}
