package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

const (
	// scale is the number of APIKeys that are issued and rotated.
	scale = 10_000
	// workers is the number of concurrent writers in the floor and in the operator.
	workers = 8
	// leastOfFloor is the least ratio of the speed to that of the bare writes.
	leastOfFloor = 0.7

	keysNamespace = "keys"
	bareNamespace = "bare"
)

// BenchmarkTenThousandKeys makes the operator issue 10,000 APIKeys, rotate them all, and restart with them. The floor
// of the first two is the same writes of each key without the operator: status, Secret, status and event, by the same
// number of workers, against the same API server and seen by the same watch. issue-x and rotate-x are ratios of the
// speeds.
func BenchmarkTenThousandKeys(b *testing.B) {
	for b.Loop() {
		f := newFleet(b)
		f.createKeys(b, 0, scale)
		issued := f.operated(b, func(k *v1alpha1.APIKey) bool { return isDelivered(k) && len(k.Status.Keys) == 1 })
		floor := f.bare(b, firstIssue)
		b.ReportMetric(float64(scale)/issued.Seconds(), "issues/s")
		report(b, "issue-x", floor, issued)

		f.stop(b)
		f.everyKey(b, func(name string) error { return f.ask(b.Context(), name) })
		rotated := f.operated(b, func(k *v1alpha1.APIKey) bool { return isDelivered(k) && k.Status.LastRotateRequest != "" })
		b.ReportMetric(float64(scale)/rotated.Seconds(), "rotations/s")
		report(b, "rotate-x", f.bare(b, rotation), rotated)

		f.checkRestart(b)
		must(b, f.Stop())
	}
}

func report(b *testing.B, unit string, floor, took time.Duration) {
	b.Helper()
	share := floor.Seconds() / took.Seconds()
	b.ReportMetric(share, unit)
	if share < leastOfFloor {
		b.Errorf("%s: %v, and the bare writes %v: %.2f of their speed, less than %.2f", unit, took, floor, share,
			leastOfFloor)
	}
}

// fleet is a stack with a stopped operator and many keys.
type fleet struct {
	*stack.Stack
	keys int
}

func newFleet(b *testing.B) *fleet {
	b.Helper()
	s, err := stack.Start(b.Context(), stack.Options{
		Out: os.Stderr, OperatorArgs: []string{fmt.Sprintf("--concurrency=%d", workers), "--namespaces=" + keysNamespace},
	})
	must(b, err)
	b.Cleanup(func() { _ = s.Stop() })
	f := &fleet{Stack: s}
	for _, namespace := range []string{keysNamespace, bareNamespace} {
		must(b, s.Client.Create(b.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	}
	must(b, s.Server.Stop())
	f.stop(b)
	return f
}

func (f *fleet) stop(b *testing.B) {
	b.Helper()
	must(b, f.Operator.Stop())
}

func keyName(i int) string { return fmt.Sprintf("key-%06d", i) }

// createKeys creates keys with numbers from one to below another.
func (f *fleet) createKeys(b *testing.B, from, to int) {
	b.Helper()
	f.keys = to
	must(b, together(to-from, func(i int) error {
		return f.Client.Create(b.Context(), newKey(keysNamespace, keyName(from+i)))
	}))
}

func newKey(namespace, name string) *v1alpha1.APIKey {
	return &v1alpha1.APIKey{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.APIKeySpec{
			Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"},
			Scopes:  []v1alpha1.Scope{"certs.read"},
		},
	}
}

// together calls do with 0 to n-1, several concurrently.
func together(n int, do func(int) error) error {
	var mu sync.Mutex
	var failed error
	next := make(chan int)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for i := range next {
				if err := do(i); err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	running.Wait()
	return failed
}

func (f *fleet) everyKey(b *testing.B, do func(name string) error) {
	b.Helper()
	must(b, together(f.keys, func(i int) error { return do(keyName(i)) }))
}

// ask requests a rotation.
func (f *fleet) ask(ctx context.Context, name string) error {
	patch := client.RawPatch("application/merge-patch+json",
		[]byte(`{"metadata":{"annotations":{"keywright.dev/rotate":"now"}}}`))
	return f.Client.Patch(ctx, newKey(keysNamespace, name), patch)
}

// operated starts the operator and returns the time it needs for all keys.
func (f *fleet) operated(b *testing.B, done func(*v1alpha1.APIKey) bool) time.Duration {
	b.Helper()
	return f.timed(b, keysNamespace, f.keys, func() error { return f.Operator.Restart(b.Context()) }, done)
}

// timed starts the work on the keys of a namespace and returns the time from its first write until all keys are done.
func (f *fleet) timed(b *testing.B, namespace string, keys int, start func() error,
	done func(*v1alpha1.APIKey) bool) time.Duration {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 20*time.Minute)
	defer cancel()
	var list v1alpha1.APIKeyList
	must(b, f.Client.List(ctx, &list, client.InNamespace(namespace)))
	left := map[string]bool{}
	for i := range list.Items {
		if !done(&list.Items[i]) {
			left[list.Items[i].Name] = true
		}
	}
	if len(list.Items) != keys {
		b.Fatalf("%d keys, want %d", len(list.Items), keys)
	}
	w, err := f.Client.Watch(ctx, &v1alpha1.APIKeyList{}, client.InNamespace(namespace),
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}})
	must(b, err)
	defer w.Stop()
	started := make(chan error, 1)
	go func() { started <- start() }()
	var begun time.Time
	for e := range w.ResultChan() {
		key, is := e.Object.(*v1alpha1.APIKey)
		if e.Type == watch.Error || !is {
			b.Fatalf("the watch ended: %v", e.Object)
		}
		if begun.IsZero() {
			begun = time.Now()
		}
		if done(key) {
			delete(left, key.Name)
		}
		if len(left) == 0 {
			took := time.Since(begun)
			must(b, <-started)
			return took
		}
	}
	b.Fatalf("%d keys were not done in time", len(left))
	return 0
}

func isDelivered(k *v1alpha1.APIKey) bool {
	return k.Status.SecretName != "" && len(k.Status.Keys) > 0 && k.Status.Keys[0].State == v1alpha1.KeyCurrent
}

// phase is a first issue or a rotation. In a rotation the Secret exists.
type phase int

const (
	firstIssue phase = iota
	rotation
)

// bare measures the writes of every key, without work in between. Objects of a first issue are created before.
func (f *fleet) bare(b *testing.B, p phase) time.Duration {
	b.Helper()
	f.stop(b)
	objects := make([]*v1alpha1.APIKey, scale)
	must(b, together(scale, func(i int) error {
		objects[i] = newKey(bareNamespace, keyName(i))
		if p == firstIssue {
			return f.Client.Create(b.Context(), objects[i])
		}
		return f.Client.Get(b.Context(), client.ObjectKeyFromObject(objects[i]), objects[i])
	}))
	id := fmt.Sprint(int(p))
	write := func() error {
		return together(scale, func(i int) error { return f.bareKey(b.Context(), objects[i], id) })
	}
	return f.timed(b, bareNamespace, scale, write, func(k *v1alpha1.APIKey) bool {
		return k.Status.ObservedGeneration > 0 && k.Status.LastRotateRequest == id
	})
}

func (f *fleet) bareKey(ctx context.Context, key *v1alpha1.APIKey, id string) error {
	if err := f.bareStatus(ctx, key, id, true); err != nil {
		return err
	}
	secret := corev1ac.Secret(key.Name+"-api-key", key.Namespace).
		WithLabels(map[string]string{"bare": "true"}).
		WithAnnotations(map[string]string{"key-id": "000000000000000" + id}).
		WithData(map[string][]byte{"key": []byte(strings.Repeat("k", 48) + id), "subject": []byte(key.Spec.Subject.String())})
	if err := f.Client.Apply(ctx, secret, client.FieldOwner("bench"), client.ForceOwnership); err != nil {
		return err
	}
	if err := f.bareStatus(ctx, key, id, false); err != nil {
		return err
	}
	return f.Client.Create(ctx, &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, GenerateName: key.Name + "-"},
		EventTime:  metav1.NowMicro(), ReportingController: "bench", ReportingInstance: "bench", Type: corev1.EventTypeNormal,
		Reason: "Bare", Action: "Write", Note: "Issued: key 0123456789abcdef (ak_012345678…) is in a Secret",
		Regarding: corev1.ObjectReference{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "APIKey",
			Namespace: key.Namespace, Name: key.Name, UID: key.UID},
	})
}

func (f *fleet) bareStatus(ctx context.Context, key *v1alpha1.APIKey, id string, pending bool) error {
	before := key.DeepCopy()
	status := metav1.ConditionTrue
	if pending {
		status = metav1.ConditionFalse
	}
	if !pending {
		key.Status.ObservedGeneration = key.Generation
		key.Status.LastRotateRequest, key.Status.SecretName = id, key.Name+"-api-key"
	}
	key.Status.Keys = []v1alpha1.KeyStatus{{
		ID: "0123456789abcde" + id, Prefix: "ak_012345678", IssuedAt: metav1.Now(), State: bareState(pending),
		Digest: "hmac-sha256:01234567:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde" + id,
	}}
	key.Status.Conditions = []metav1.Condition{
		{Type: "Ready", Status: status, Reason: "Bare" + id, Message: "Written bare.", LastTransitionTime: metav1.Now()},
		{Type: "Active", Status: status, Reason: "Bare" + id, Message: "Written bare.", LastTransitionTime: metav1.Now()},
	}
	return f.Client.Status().Patch(ctx, key, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}
