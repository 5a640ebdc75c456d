package bench

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// floorNamespace is a namespace that the operator does not watch.
const floorNamespace = "bare"

// BenchmarkApplyToSecret measures the time from applying an AdminUser until a watcher sees its Secret, with operator
// and server running as in a cluster. In turn it measures the floor: the three writes of an issue, one after the
// other. x-floor is the ratio of the medians.
func BenchmarkApplyToSecret(b *testing.B) {
	ctx := b.Context()
	s := start(b)
	secrets := watchSecrets(b, s)
	var issues, floors []time.Duration
	for b.Loop() {
		// Each round has a hundred, for a stable median.
		for range 100 {
			name := fmt.Sprintf("bench-%d", len(issues))
			floors = append(floors, bareWrites(b, s.Client, name))
			begun := time.Now()
			apply(b, s.Client, stack.Namespace, name)
			awaitSecret(ctx, b, secrets, name+"-admin-key")
			issues = append(issues, time.Since(begun))
		}
	}
	p50, floor := median(issues), median(floors)
	b.ReportMetric(milliseconds(p50), "p50-ms")
	b.ReportMetric(milliseconds(percentile(issues, 99)), "p99-ms")
	b.ReportMetric(milliseconds(floor), "floor-p50-ms")
	b.ReportMetric(float64(p50)/float64(floor), "x-floor")
	if p50 > mostOfFloor*floor {
		b.Errorf("from apply to the Secret takes %v, more than %d times the floor of %v", p50, mostOfFloor, floor)
	}
}

// mostOfFloor is the largest ratio of an issue to the floor.
const mostOfFloor = 4

func start(b *testing.B) *stack.Stack {
	b.Helper()
	s, err := stack.Start(b.Context(), stack.Options{Out: os.Stderr})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Stop() })
	// The floor's AdminUsers are outside the system namespace, which a policy forbids. Its removal takes time.
	if _, err := s.Kubectl(b.Context(), "delete", "-k", "config/admission"); err != nil {
		b.Fatal(err)
	}
	must(b, s.Client.Create(b.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: floorNamespace}}))
	must(b, wait.PollUntilContextTimeout(b.Context(), 50*time.Millisecond, time.Minute, true,
		func(ctx context.Context) (bool, error) {
			probe := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: floorNamespace, Name: "probe"}}
			return s.Client.Create(ctx, probe, client.DryRunAll) == nil, nil
		}))
	return s
}

func apply(b *testing.B, c client.Client, namespace, name string) *v1alpha1.AdminUser {
	b.Helper()
	user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	must(b, c.Create(b.Context(), user))
	return user
}

// bareWrites measures the writes of the digest, the Secret and the final status, without work in between.
func bareWrites(b *testing.B, c client.Client, name string) time.Duration {
	b.Helper()
	user := apply(b, c, floorNamespace, name)
	begun := time.Now()
	writeStatus(b, c, user, true)
	secret := corev1ac.Secret(name+"-admin-key", floorNamespace).
		WithLabels(map[string]string{"bare": "true"}).
		WithData(map[string][]byte{"key": make([]byte, 49), "username": []byte(name)})
	must(b, c.Apply(b.Context(), secret, client.FieldOwner("bench"), client.ForceOwnership))
	writeStatus(b, c, user, false)
	return time.Since(begun)
}

func bareState(pending bool) v1alpha1.KeyState {
	if pending {
		return v1alpha1.KeyPending
	}
	return v1alpha1.KeyCurrent
}

func writeStatus(b *testing.B, c client.Client, user *v1alpha1.AdminUser, pending bool) {
	b.Helper()
	before := user.DeepCopy()
	user.Status.Keys = []v1alpha1.KeyStatus{{
		ID: "0123456789abcdef", Prefix: "ak_012345678", IssuedAt: metav1.Now(), State: bareState(pending),
		Digest: "hmac-sha256:01234567:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	}}
	status := metav1.ConditionTrue
	if pending {
		status = metav1.ConditionFalse
	}
	user.Status.Conditions = []metav1.Condition{
		{Type: "Ready", Status: status, Reason: "Bare", LastTransitionTime: metav1.Now()},
		{Type: "Active", Status: status, Reason: "Bare", LastTransitionTime: metav1.Now()},
	}
	must(b, c.Status().Patch(b.Context(), user, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})))
}

// watchSecrets returns a channel with the names of new Secrets in the system namespace.
func watchSecrets(b *testing.B, s *stack.Stack) <-chan string {
	b.Helper()
	watcher, err := s.Client.Watch(b.Context(), &corev1.SecretList{}, client.InNamespace(stack.Namespace))
	must(b, err)
	b.Cleanup(watcher.Stop)
	names := make(chan string, 64)
	go func() {
		defer close(names)
		for event := range watcher.ResultChan() {
			if secret, ok := event.Object.(*corev1.Secret); ok && len(secret.Data[v1alpha1.SecretKey]) > 0 {
				names <- secret.Name
			}
		}
	}()
	return names
}

func awaitSecret(ctx context.Context, b *testing.B, names <-chan string, wanted string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		select {
		case name := <-names:
			if name == wanted {
				return
			}
		case <-ctx.Done():
			b.Fatalf("no Secret %s: %v", wanted, context.Cause(ctx))
		}
	}
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func median(d []time.Duration) time.Duration { return percentile(d, 50) }

func percentile(d []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
