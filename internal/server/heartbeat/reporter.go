package heartbeat

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/wait"
	coordinationac "k8s.io/client-go/applyconfigurations/coordination/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/serverlease"
)

// A Lease survives two lost renewals.
const (
	leaseDuration = 45 * time.Second
	renewEvery    = 15 * time.Second
)

const (
	// writeTimeout is for an API server that accepts a connection and never replies.
	writeTimeout = 10 * time.Second
	// releaseTimeout bounds how much the release delays a shutdown.
	releaseTimeout = 2 * time.Second
)

var retryBackoff = wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.5, Steps: 5, Cap: renewEvery}

// Configuration is the configuration in force.
type Configuration interface {
	// Revision is empty while no configuration is in force.
	Revision() string
	// Changed receives a value after each change of the revision.
	Changed() <-chan struct{}
}

// Options are the inputs of New.
type Options struct {
	REST *rest.Config
	// Namespace is the system namespace.
	Namespace string
	// Pod and PodUID are the name and uid of the server's Pod. Outside a Pod both are empty and the replica gets a
	// random name.
	Pod, PodUID   string
	Configuration Configuration
	// DatabaseAnswered reports whether the database has answered since the start.
	DatabaseAnswered func() bool
	Clock            clock.Clock
	Log              *slog.Logger
}

// Reporter writes the Lease of one server.
type Reporter struct {
	options Options
	holder  string
	name    string
	started time.Time
	leases  coordinationclient.LeaseInterface
	log     *slog.Logger
	// failedAt is when the writes began to fail. Zero while they succeed.
	failedAt time.Time
}

// New returns an error if Pod is not a valid name or REST is not valid. It does not contact the API server.
func New(o Options) (*Reporter, error) {
	r := &Reporter{options: o, holder: o.Pod}
	if r.holder == "" {
		r.holder = strings.ToLower(rand.Text()[:10])
	}
	r.name = v1alpha1.ServerLeasePrefix + strings.TrimPrefix(r.holder, v1alpha1.ServerLeasePrefix)
	if problems := validation.IsDNS1123Subdomain(r.name); len(problems) > 0 {
		return nil, fmt.Errorf("pod name %q cannot name a Lease: %s", o.Pod, strings.Join(problems, "; "))
	}
	clients, err := coordinationclient.NewForConfig(o.REST)
	if err != nil {
		return nil, err
	}
	r.leases = clients.Leases(o.Namespace)
	r.log = o.Log.With("lease", r.name)
	return r, nil
}

// Run renews the Lease until ctx ends, and then releases it within 2 seconds, so that the operator does not
// wait for this replica.
func (r *Reporter) Run(ctx context.Context) {
	r.started = r.options.Clock.Now()
	for backoff := retryBackoff; ctx.Err() == nil; {
		err := r.write(ctx, writeTimeout, r.holder)
		if ctx.Err() != nil {
			break
		}
		r.logOutcome(err)
		pause := renewEvery
		if err == nil {
			backoff = retryBackoff
		} else {
			pause = backoff.Step()
		}
		r.wait(ctx, pause)
	}
	_ = r.write(context.WithoutCancel(ctx), releaseTimeout, released)
}

// listTimeout bounds how long a caller of Replicas waits.
const listTimeout = 2 * time.Second

// Replicas returns the replicas that hold a Lease, by name. This one is Name.
func (r *Reporter) Replicas(ctx context.Context) ([]serverlease.Replica, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	list, err := r.leases.List(ctx, metav1.ListOptions{
		LabelSelector: labels.SelectorFromSet(v1alpha1.ServerLeaseLabels()).String(), Limit: maxListed,
	})
	if err != nil {
		return nil, err
	}
	return serverlease.Sorted(serverlease.Read(list.Items)), nil
}

// OthersHaveDatabase reports whether another replica runs whose database has answered.
func (r *Reporter) OthersHaveDatabase(ctx context.Context) (bool, error) {
	all, err := r.Replicas(ctx)
	now := r.options.Clock.Now()
	return slices.ContainsFunc(all, func(other serverlease.Replica) bool {
		return other.Name != r.name && other.HasDatabase && !other.Lapsed(now)
	}), err
}

// maxListed bounds the Leases that Replicas reads.
const maxListed = 500

// Name returns the name of this replica's Lease.
func (r *Reporter) Name() string { return r.name }

// wait returns after the pause, or earlier if the configuration changes or ctx ends.
func (r *Reporter) wait(ctx context.Context, pause time.Duration) {
	timer := r.options.Clock.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-r.options.Configuration.Changed():
	case <-timer.C():
	}
}

// logOutcome logs the first failure of an outage and its end.
func (r *Reporter) logOutcome(err error) {
	now := r.options.Clock.Now()
	switch isFailing := !r.failedAt.IsZero(); {
	case err != nil && !isFailing:
		r.failedAt = now
		r.log.Warn("The heartbeat cannot be written: the server continues without it", "error", err.Error())
	case err == nil && isFailing:
		r.log.Info("The heartbeat is written again", "after", now.Sub(r.failedAt).String())
		r.failedAt = time.Time{}
	}
}

// released is the holder of a released Lease.
const released = ""

// write creates or updates the Lease. A restarted container takes over the Lease of its Pod.
func (r *Reporter) write(ctx context.Context, timeout time.Duration, holder string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	options := metav1.ApplyOptions{FieldManager: v1alpha1.ServerFieldManager, Force: true}
	_, err := r.leases.Apply(ctx, r.lease(holder), options)
	return err
}

func (r *Reporter) lease(holder string) *coordinationac.LeaseApplyConfiguration {
	spec := coordinationac.LeaseSpec().
		WithHolderIdentity(holder).
		WithLeaseDurationSeconds(int32(leaseDuration.Seconds())).
		WithAcquireTime(metav1.NewMicroTime(r.started)).
		WithRenewTime(metav1.NewMicroTime(r.options.Clock.Now()))
	lease := coordinationac.Lease(r.name, r.options.Namespace).
		WithLabels(v1alpha1.ServerLeaseLabels()).
		WithSpec(spec)
	if revision := r.options.Configuration.Revision(); revision != "" {
		lease.WithAnnotations(map[string]string{v1alpha1.AnnotationConfiguration: revision})
	}
	if r.options.DatabaseAnswered() {
		lease.WithAnnotations(map[string]string{v1alpha1.AnnotationDatabase: serverlease.Answered})
	}
	if r.options.Pod != "" && r.options.PodUID != "" {
		lease.WithOwnerReferences(r.pod())
	}
	return lease
}

// pod makes the garbage collector delete the Lease with its Pod.
func (r *Reporter) pod() *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().
		WithAPIVersion("v1").
		WithKind("Pod").
		WithName(r.options.Pod).
		WithUID(types.UID(r.options.PodUID))
}
