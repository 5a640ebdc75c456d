package main

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// bench is an API server with what config/rbac grants, and the operator's own way to it.
type bench struct {
	*testing.T
	*stack.ControlPlane
	kubeconfig string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	quietly(t)
	plane, err := stack.StartControlPlane(t.Context(), stack.Options{Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = plane.Stop() })
	if err := plane.InstallPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, ControlPlane: plane}
	b.kubeconfig = b.kubeconfigFor("keywright-operator")
	return b
}

func (b *bench) kubeconfigFor(account string) string {
	b.Helper()
	config, err := b.ServiceAccountConfig(b.Context(), account)
	b.must(err)
	return kubeconfigOf(b.T, config)
}

// in is the bench in a test within the test.
func (b *bench) in(t *testing.T) *bench {
	inner := *b
	inner.T = t
	return &inner
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: stack.Namespace, Name: name}
}

func (b *bench) create(object client.Object) {
	b.Helper()
	b.must(b.Client.Create(b.Context(), object))
}

func (b *bench) delete(object client.Object) {
	b.Helper()
	b.must(b.Client.Delete(b.Context(), object))
}

// runOperator runs it under its own identity. stop ends it as a signal does and returns what it logged.
func (b *bench) runOperator() (stop func() string) {
	b.Helper()
	var written bytes.Buffer
	ctx, cancel := context.WithCancel(b.Context())
	cmd := command(ctx, "--kubeconfig="+b.kubeconfig, "--metrics-bind-address=0", "--health-probe-bind-address=127.0.0.1:0", "--leader-elect")
	cmd.Stdout, cmd.Stderr = &written, &written
	b.must(cmd.Start())
	stop = sync.OnceValue(func() string {
		cancel()
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 0 {
			b.Errorf("the operator ended with %v", err)
		}
		return written.String()
	})
	b.Cleanup(func() { stop() })
	return stop
}

// eventually waits until keywright-runtime is as wanted, "" standing for none.
func (b *bench) eventually(what, document string) {
	b.Helper()
	var last string
	err := wait.PollUntilContextTimeout(b.Context(), 20*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		last = b.runtime(ctx)
		return last == document, nil
	})
	if err != nil {
		b.Fatalf("%s: keywright-runtime is %s, want %s", what, last, document)
	}
}

func (b *bench) runtime(ctx context.Context) string {
	var config corev1.ConfigMap
	if err := b.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: "keywright-runtime"}, &config); err != nil {
		return ""
	}
	return config.Data["runtime.json"]
}

// digested waits for a document with a digest and returns it.
func (b *bench) digested() (document string) {
	b.Helper()
	b.must(wait.PollUntilContextTimeout(b.Context(), 20*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		document = b.runtime(ctx)
		return strings.Contains(document, "hmac-sha256:"), nil
	}))
	return document
}

func TestAgainstAnAPIServer(t *testing.T) {
	b := newBench(t)
	t.Run("a token that is none", func(t *testing.T) {
		config := &rest.Config{Host: b.Admin.Host, TLSClientConfig: rest.TLSClientConfig{CAData: b.Admin.CAData}, BearerToken: "wrong"}
		refusesToStart(t, 1, "reading Secret keywright-system/keywright-pepper: Unauthorized", "--kubeconfig="+kubeconfigOf(t, config))
	})
	t.Run("an identity without rights", func(t *testing.T) {
		b.in(t).create(&corev1.ServiceAccount{ObjectMeta: named("nobody")})
		refusesToStart(t, 1, `User "system:serviceaccount:keywright-system:nobody" cannot get resource "secrets"`, "--kubeconfig="+b.in(t).kubeconfigFor("nobody"))
	})
	t.Run("a broken pepper", func(t *testing.T) {
		pepper := &corev1.Secret{ObjectMeta: named("keywright-pepper"), Data: map[string][]byte{"active": []byte("short")}}
		b.in(t).create(pepper)
		refusesToStart(t, 1, `Secret keywright-system/keywright-pepper is broken: entry "active" has 5 bytes, a pepper has 32 to 1024`, "--kubeconfig="+b.kubeconfig)
		b.in(t).delete(pepper)
	})
	t.Run("no configuration", func(t *testing.T) { b.in(t).startsWithNone() })
	t.Run("the bootstrap key", func(t *testing.T) { b.in(t).followsTheConfiguration() })
	t.Run("how keys begin", func(t *testing.T) { b.in(t).issuesUnderThePrefix() })
}

// startsWithNone: servers are told that nothing is configured, and keys are issued.
func (b *bench) startsWithNone() {
	stop := b.runOperator()
	b.eventually("nothing is configured", `{}`)
	b.expectKey("nobody-configured", "ak_")
	stop()
	b.delete(&corev1.ConfigMap{ObjectMeta: named("keywright-runtime")})
}

// issuesUnderThePrefix: a change is in force without a restart, and a restart never goes by another one.
func (b *bench) issuesUnderThePrefix() {
	config := &corev1.ConfigMap{ObjectMeta: named("keywright-config"), Data: map[string]string{"KEY_PREFIX": "kw_"}}
	b.create(config)
	b.createUser("early")
	stop := b.runOperator()
	b.expectPrefix("early", "kw_")
	config.Data["KEY_PREFIX"] = "zz_"
	b.must(b.Client.Update(b.Context(), config))
	b.eventually("another prefix", `{"keyPrefix":"zz_"}`)
	b.expectKey("later", "zz_")
	b.expectPrefix("early", "kw_")
	stop()

	config.Data = map[string]string{"KEY_PREFIX": "Not a prefix"}
	b.must(b.Client.Update(b.Context(), config))
	b.createUser("in-trouble")
	b.runOperator()
	b.expectPrefix("in-trouble", "zz_")
}

func (b *bench) createUser(name string) {
	b.Helper()
	b.create(&v1alpha1.AdminUser{ObjectMeta: named(name)})
}

func (b *bench) expectKey(name, prefix string) {
	b.Helper()
	b.createUser(name)
	b.expectPrefix(name, prefix)
}

// expectPrefix waits for the user's key, which has to begin like this.
func (b *bench) expectPrefix(name, prefix string) {
	b.Helper()
	var shown string
	b.must(wait.PollUntilContextTimeout(b.Context(), 20*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		var user v1alpha1.AdminUser
		err := b.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: name}, &user)
		if err == nil && len(user.Status.Keys) > 0 {
			shown = user.Status.Keys[0].Prefix
		}
		return shown != "", err
	}))
	if !strings.HasPrefix(shown, prefix) {
		b.Errorf("the key of %s begins with %s, want %s", name, shown[:3], prefix)
	}
}

// followsTheConfiguration: whatever becomes of the two ConfigMaps, and whenever, the one follows the other.
func (b *bench) followsTheConfiguration() {
	const plaintext = "change-this-admin-secret"
	config := &corev1.ConfigMap{ObjectMeta: named("keywright-config"), Data: map[string]string{"ADMIN_KEY": plaintext}}
	compiled := &corev1.ConfigMap{ObjectMeta: named("keywright-runtime"), Data: map[string]string{"runtime.json": `{"bootstrapDigest":"of old"}`}}
	b.create(compiled)

	stop := b.runOperator()
	b.eventually("the configuration deleted while nobody was at work", `{}`)
	b.create(config)
	good := b.digested()
	b.must(b.Client.Patch(b.Context(), compiled.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"data":{"runtime.json":"{}"}}`))))
	b.eventually("edited by hand", good)
	b.delete(compiled)
	b.eventually("deleted by hand", good)
	b.delete(config)
	b.eventually("the configuration deleted", `{}`)
	b.checkLog(stop(), plaintext)
}

// onItsWayOut is what controller-runtime calls errors when the operator ends: that it gives up its lease, and
// that a reconcile under way was cut off.
var onItsWayOut = []string{"leader election lost", context.Canceled.Error()}

// checkLog: JSON lines, no error among them, and no key.
func (b *bench) checkLog(logged, plaintext string) {
	b.Helper()
	levels := map[string]int{}
	for line := range strings.Lines(logged) {
		var entry struct{ Level, Err string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			b.Errorf("not JSON: %s", line)
		}
		if !slices.Contains(onItsWayOut, entry.Err) {
			levels[entry.Level]++
		}
	}
	if len(levels) != 1 || levels["INFO"] == 0 || strings.Contains(logged, plaintext) {
		b.Errorf("logged %v: %s", levels, logged)
	}
}
