package configrollout

import (
	"regexp"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"keywright.dev/keywright/api/v1alpha1"
)

// revision is the form of one. What a Lease holds in its place may be anything, and is not passed on.
var revision = regexp.MustCompile(`^[0-9a-f]{12}$`)

// readReplicas takes in the servers that run. One that has released its Lease, or whose Pod is gone, does not.
func readReplicas(leases []coordinationv1.Lease) []replica {
	var all []replica
	for i := range leases {
		if r, is := readReplica(&leases[i]); is {
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
	if runs := l.Annotations[v1alpha1.AnnotationConfiguration]; revision.MatchString(runs) {
		r.runs = runs
	}
	return r, true
}
