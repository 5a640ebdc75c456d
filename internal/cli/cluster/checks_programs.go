package cluster

import (
	"context"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/serverlease"
)

// The names of the two Deployments; the Lease by which one operator is elected has the name of the first.
const (
	operatorName = "keywright-operator"
	serverName   = "keywright-server"
)

func (d *doctor) operatorLease(ctx context.Context) (*coordinationv1.Lease, error) {
	lease := &coordinationv1.Lease{}
	return lease, d.Get(ctx, client.ObjectKey{Namespace: d.systemNamespace, Name: operatorName}, lease)
}

func (d *doctor) serverLeases(ctx context.Context) ([]coordinationv1.Lease, error) {
	list := &coordinationv1.LeaseList{}
	labels := client.MatchingLabels(v1alpha1.ServerLeaseLabels())
	err := d.List(ctx, list, client.InNamespace(d.systemNamespace), labels)
	isRestored := func(l coordinationv1.Lease) bool { return serverlease.Restored(&l) }
	return slices.DeleteFunc(list.Items, isRestored), err
}

func (d *doctor) logsOf(name string) string {
	return "kubectl logs -n " + d.systemNamespace + " " + name
}

// checkOperator reports whether an operator holds the Lease of the leader.
func (d *doctor) checkOperator(ctx context.Context) []finding {
	lease, err := d.operatorLease(ctx)
	switch {
	case apierrors.IsNotFound(err):
		return []finding{{
			State: stateUnknown, Remedy: "kubectl get pods -n " + d.systemNamespace,
			Detail: "Lease " + operatorName + " does not exist: the operator runs without --leader-elect, or has never run",
		}}
	case err != nil:
		return unknown(err)
	case !isHeld(lease, d.now):
		return []finding{wrong("kubectl get pods -n "+d.systemNamespace+"; "+d.logsOf("deployment/"+operatorName),
			"no operator runs: no key is issued, rotated or removed until one does")}
	}
	return ok("%s runs", *lease.Spec.HolderIdentity)
}

// checkServers compares the configuration that each server reports on its Lease with the published one.
func (d *doctor) checkServers(ctx context.Context) []finding {
	leases, err := d.serverLeases(ctx)
	if err != nil {
		return unknown(err)
	}
	runtime, err := d.runtime(ctx)
	if err != nil {
		return unknown(err)
	}
	var found []finding
	running, revision := 0, revisionOf(runtime)
	for i := range leases {
		l := &leases[i]
		switch runs := l.Annotations[v1alpha1.AnnotationConfiguration]; {
		case isReleased(l):
		case !isHeld(l, d.now):
			found = append(found, wrong("kubectl get pods -n "+d.systemNamespace+"; if it is gone: kubectl delete -n "+
				d.systemNamespace+" lease "+l.Name, "%s has not reported for %s: it is gone, or cut off from the API server",
				l.Name, duration.HumanDuration(d.now.Sub(renewedAt(l)))))
		case runs != revision:
			running++
			found = append(found, wrong(d.logsOf(l.Name), "%s runs configuration %q instead of %s", l.Name, runs, revision))
		default:
			running++
		}
	}
	if running == 0 {
		found = append(found, wrong("kubectl get pods -n "+d.systemNamespace, "no server reports that it runs"))
	}
	if found == nil {
		return ok("in step: %d", running)
	}
	return found
}

// isReleased reports whether the holder of a Lease has stopped in good order.
func isReleased(l *coordinationv1.Lease) bool {
	return l.Spec.HolderIdentity == nil || *l.Spec.HolderIdentity == ""
}

// isHeld reports whether the holder of a Lease runs. now is the time of the API server.
func isHeld(l *coordinationv1.Lease, now time.Time) bool {
	if isReleased(l) || l.Spec.LeaseDurationSeconds == nil {
		return false
	}
	return now.Before(renewedAt(l).Add(time.Duration(*l.Spec.LeaseDurationSeconds) * time.Second))
}

// renewedAt returns when a Lease was renewed, by the clock of the API server if that is known.
func renewedAt(l *coordinationv1.Lease) time.Time {
	if written := writtenAt(l); !written.IsZero() {
		return written
	}
	if l.Spec.RenewTime != nil {
		return l.Spec.RenewTime.Time
	}
	return time.Time{}
}

// writtenAt returns when the API server stored the time of the renewal, by its own clock and to the second. It is zero
// if nothing shows that.
func writtenAt(l *coordinationv1.Lease) (last time.Time) {
	for i := range l.ManagedFields {
		m := &l.ManagedFields[i]
		if m.Time == nil || m.FieldsV1 == nil || !strings.Contains(m.FieldsV1.GetRawString(), `"f:renewTime"`) {
			continue
		}
		if m.Time.After(last) {
			last = m.Time.Time
		}
	}
	return last
}

// maxSkew is how far clocks may be apart. Ends of keys are to the second, and Leases last 45 seconds.
const maxSkew = 10 * time.Second

// checkClock compares the clocks of this machine and of the programs with that of the API server. A program writes its
// time into its Lease, and the API server the time of that write.
func (d *doctor) checkClock(ctx context.Context) []finding {
	const remedy = "set the clocks by NTP"
	var found []finding
	if d.skew.Abs() > maxSkew {
		found = append(found, wrong(remedy, "this machine is %s the API server", apart(d.skew)))
	}
	leases, err := d.serverLeases(ctx)
	if err != nil {
		return append(found, unknown(err)...)
	}
	if lease, err := d.operatorLease(ctx); err == nil {
		leases = append(leases, *lease)
	}
	for i := range leases {
		l := &leases[i]
		written := writtenAt(l)
		if !isHeld(l, d.now) || written.IsZero() || l.Spec.RenewTime == nil {
			continue
		}
		if skew := l.Spec.RenewTime.Sub(written); skew.Abs() > maxSkew {
			found = append(found, wrong(remedy, "%s is %s the API server", l.Name, apart(skew)))
		}
	}
	if found == nil {
		return ok("this machine and what runs agree with the API server")
	}
	return found
}

// apart returns a skew as 5m ahead of, or 5m behind.
func apart(skew time.Duration) string {
	if skew > 0 {
		return duration.HumanDuration(skew) + " ahead of"
	}
	return duration.HumanDuration(-skew) + " behind"
}

// checkVersions compares the images of operator and server, and the version of this program.
func (d *doctor) checkVersions(ctx context.Context) []finding {
	var versions []string
	for _, name := range []string{operatorName, serverName} {
		deployment := &appsv1.Deployment{}
		if err := d.Get(ctx, client.ObjectKey{Namespace: d.systemNamespace, Name: name}, deployment); err != nil {
			return unknown(err)
		}
		versions = append(versions, versionOf(deployment))
	}
	operator, server := versions[0], versions[1]
	switch {
	case operator == "" || server == "":
		return []finding{{State: stateUnknown, Detail: "an image is named by its digest alone"}}
	case operator != server:
		return []finding{wrong("roll out one version of both", "the operator is %s and the server %s", operator, server)}
	case isRelease(d.Version) && isRelease(server) && minor(d.Version) != minor(server):
		return []finding{wrong("install kubectl keywright "+server,
			"this program is %s, and the server %s", d.Version, server)}
	}
	return ok("operator and server are %s", server)
}

// versionOf returns the tag of the program's image, or "" if only its digest is named.
func versionOf(deployment *appsv1.Deployment) string {
	containers := deployment.Spec.Template.Spec.Containers
	program := strings.TrimPrefix(deployment.Name, "keywright-")
	i := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == program })
	if i < 0 {
		return ""
	}
	image, _, byDigest := strings.Cut(containers[i].Image, "@")
	_, tag, tagged := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	switch {
	case tagged:
		return tag
	case byDigest:
		return ""
	}
	return "latest"
}

// isRelease reports whether a version is like v1.2.3, and not that of a build in between.
func isRelease(version string) bool {
	return strings.HasPrefix(version, "v") && strings.Count(version, ".") == 2 && !strings.Contains(version, "-")
}

// minor returns v1.2 of v1.2.3.
func minor(version string) string { return version[:strings.LastIndex(version, ".")] }
