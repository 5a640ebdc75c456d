package bench

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/test/stack"
)

const (
	// revocationsOfAKind is the number of revocations of each kind.
	revocationsOfAKind = 200
	// mostOfWatch is the largest ratio of a refusal's 99th percentile to that of a bare watch.
	mostOfWatch = 2
	// pollPause is the pause between two requests that check for the refusal. Without it the requests would use the
	// whole machine and delay everything. It counts against the refusals.
	pollPause = 500 * time.Microsecond
)

// revocations are the ways to revoke a key, by kind of object.
var revocations = []struct {
	name   string
	object func(name string) client.Object
	revoke func(ctx context.Context, c client.Client, object client.Object) error
}{
	{"delete", apiKey, func(ctx context.Context, c client.Client, o client.Object) error { return c.Delete(ctx, o) }},
	{"disable", apiKey, changing(func(k *v1alpha1.APIKey) { k.Spec.State = v1alpha1.StateDisabled })},
	{"expire", apiKey, changing(func(k *v1alpha1.APIKey) { k.Spec.ExpiresAt = new(metav1.Now()) })},
	{"demote", adminUser, changing(func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser })},
	{"DENY", apiKey, changing(func(k *v1alpha1.APIKey) {
		k.Spec.Policy = &v1alpha1.Policy{Permissions: []v1alpha1.Permission{{
			Effect: v1alpha1.EffectDeny, Actions: []v1alpha1.Action{"certs.read"}, Resources: []v1alpha1.Resource{"*"},
		}}}
	})},
}

func apiKey(name string) client.Object { return newKey(keysNamespace, name) }

func adminUser(name string) client.Object {
	return &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: name}}
}

func changing[O client.Object](change func(O)) func(context.Context, client.Client, client.Object) error {
	return func(ctx context.Context, c client.Client, object client.Object) error {
		change(object.(O))
		return c.Update(ctx, object)
	}
}

// BenchmarkRevocation revokes a thousand keys one after the other, in every way, and measures the time until two
// servers refuse each key, without an operator. The floor is a bare watch of the same objects by its own client. Both
// times start when the revocation is sent. p99-x-watch is the ratio of the 99th percentiles.
func BenchmarkRevocation(b *testing.B) {
	r := newRevoker(b)
	for b.Loop() {
		var seen, refused []time.Duration
		for i := range revocationsOfAKind * len(revocations) {
			how := revocations[i%len(revocations)]
			watched, last := r.revoke(b, r.held[i], how.revoke)
			seen, refused = append(seen, watched), append(refused, last)
		}
		floor, p99 := percentile(seen, 99), percentile(refused, 99)
		b.ReportMetric(milliseconds(median(seen)), "watch-p50-ms")
		b.ReportMetric(milliseconds(floor), "watch-p99-ms")
		b.ReportMetric(milliseconds(median(refused)), "refused-p50-ms")
		b.ReportMetric(milliseconds(p99), "refused-p99-ms")
		b.ReportMetric(float64(p99)/float64(floor), "p99-x-watch")
		if p99 > mostOfWatch*floor {
			b.Errorf("99%% of the revoked keys are refused within %v, more than %d times the %v in which a watch sees "+
				"99%% of the changes", p99, mostOfWatch, floor)
		}
	}
}

// held is an object with a recorded key.
type held struct {
	object client.Object
	key    string
}

// revoker is a stack of two servers without an operator. It records keys itself.
type revoker struct {
	*stack.Stack
	held []held
	// askers are one for each server.
	askers []*asker
	// changes are the names of changed objects from a bare watch.
	changes chan string
}

func newRevoker(b *testing.B) *revoker {
	b.Helper()
	s, err := stack.Start(b.Context(), stack.Options{Out: os.Stderr, ForRelease: true, Servers: 2})
	must(b, err)
	b.Cleanup(func() { _ = s.Stop() })
	r := &revoker{Stack: s, changes: make(chan string, 64)}
	r.route(b)
	must(b, s.Operator.Stop())
	must(b, s.Client.Create(b.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: keysNamespace}}))
	r.record(b)
	r.watch(b, &v1alpha1.APIKeyList{})
	r.watch(b, &v1alpha1.AdminUserList{})
	return r
}

// route makes the measured request need a permission, so that a DENY refuses it.
func (r *revoker) route(b *testing.B) {
	b.Helper()
	config := corev1ac.ConfigMap(v1alpha1.ConfigMapConfig, stack.Namespace).
		WithData(map[string]string{"ROUTES": "- match: GET /certs/{id}\n  action: certs.read\n"})
	must(b, r.Client.Apply(b.Context(), config, client.FieldOwner("bench")))
	must(b, wait.PollUntilContextTimeout(b.Context(), 20*time.Millisecond, time.Minute, true,
		func(ctx context.Context) (bool, error) {
			var runtime corev1.ConfigMap
			err := r.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: v1alpha1.ConfigMapRuntime}, &runtime)
			return strings.Contains(fmt.Sprint(runtime.Data), "certs.read"), err
		}))
}

// record creates the objects with a recorded key each, as the operator would, and one more admin that remains.
func (r *revoker) record(b *testing.B) {
	b.Helper()
	ring := mountedPepper(b, r.Stack)
	r.held = make([]held, revocationsOfAKind*len(revocations)+1)
	keys := generate(b, len(r.held))
	must(b, together(len(r.held), func(i int) error {
		object := adminUser(keyName(i))
		if i < len(r.held)-1 {
			object = revocations[i%len(revocations)].object(keyName(i))
		}
		r.held[i] = held{object, keys[i]}
		return r.recordOne(b.Context(), r.held[i].object, ring.Digest(keys[i]))
	}))
	for _, server := range r.Replicas {
		a := newAsker(b, server.URL)
		for _, h := range r.held {
			a.await(b, h.key, http.StatusOK)
		}
		r.askers = append(r.askers, a)
	}
}

func (r *revoker) recordOne(ctx context.Context, object client.Object, digest pepper.Digest) error {
	if err := r.Client.Create(ctx, object); err != nil {
		return err
	}
	keys := []v1alpha1.KeyStatus{{
		ID: digest.KeyID(), Digest: digest.String(), State: v1alpha1.KeyCurrent, IssuedAt: metav1.Now(),
	}}
	switch o := object.(type) {
	case *v1alpha1.APIKey:
		o.Status.Keys = keys
	case *v1alpha1.AdminUser:
		o.Status.Keys = keys
	}
	return r.Client.Status().Update(ctx, object)
}

// watch starts with the next change.
func (r *revoker) watch(b *testing.B, list client.ObjectList) {
	b.Helper()
	must(b, r.Client.List(b.Context(), list))
	w, err := r.Client.Watch(b.Context(), list,
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}})
	must(b, err)
	b.Cleanup(w.Stop)
	go func() {
		for event := range w.ResultChan() {
			if object, is := event.Object.(client.Object); is {
				r.changes <- object.GetName()
			}
		}
	}()
}

// revoke returns the time until the bare watch shows the revocation, and until the last server refuses the key.
func (r *revoker) revoke(b *testing.B, h held,
	revoke func(context.Context, client.Client, client.Object) error) (seen, refused time.Duration) {
	b.Helper()
	// revoke writes to the object, so it gets a copy.
	name := h.object.GetName()
	begun := time.Now()
	watched, answers := make(chan time.Duration, 1), make(chan refusal, len(r.askers))
	go func() {
		for changed := range r.changes {
			if changed == name {
				watched <- time.Since(begun)
				return
			}
		}
	}()
	for _, a := range r.askers {
		go func() { answers <- a.awaitRefusal(h.key, begun) }()
	}
	must(b, revoke(b.Context(), r.Client, h.object))
	for range r.askers {
		a := <-answers
		must(b, a.err)
		refused = max(refused, a.after)
	}
	return <-watched, refused
}

// refusal is the time from the start until a key is refused.
type refusal struct {
	after time.Duration
	err   error
}

func (a *asker) awaitRefusal(key string, begun time.Time) refusal {
	for time.Since(begun) < time.Minute {
		status, err := a.ask(key)
		after := time.Since(begun)
		switch {
		case err != nil:
			return refusal{after, err}
		case status == http.StatusUnauthorized || status == http.StatusForbidden:
			return refusal{after, nil}
		case status != http.StatusOK:
			return refusal{after, fmt.Errorf("status %d", status)}
		}
		time.Sleep(pollPause)
	}
	return refusal{err: fmt.Errorf("not refused within a minute")}
}

// await returns when a server replies with this status.
func (a *asker) await(b *testing.B, key string, want int) {
	b.Helper()
	must(b, wait.PollUntilContextTimeout(b.Context(), 5*time.Millisecond, time.Minute, true,
		func(context.Context) (bool, error) {
			status, err := a.ask(key)
			return status == want, err
		}))
}
