package main

import (
	"bytes"
	"context"
	"encoding/json"
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
	runtimeconfig "keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/test/stack"
)

// env is an API server with the roles of config/rbac, and a kubeconfig of the operator.
type env struct {
	*testing.T
	*stack.ControlPlane
	kubeconfig string
}

func newEnv(t *testing.T) *env {
	t.Helper()
	clearEnv(t)
	plane, err := stack.StartControlPlane(t.Context(), stack.Options{Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = plane.Stop() })
	if err := plane.InstallPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	e := &env{T: t, ControlPlane: plane}
	e.kubeconfig = e.kubeconfigFor("keywright-operator")
	return e
}

func (e *env) kubeconfigFor(account string) string {
	e.Helper()
	config, err := e.ServiceAccountConfig(e.Context(), account)
	e.must(err)
	return kubeconfigOf(e.T, config)
}

// in returns the env for a subtest.
func (e *env) in(t *testing.T) *env {
	inner := *e
	inner.T = t
	return &inner
}

func (e *env) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: stack.Namespace, Name: name}
}

func (e *env) create(object client.Object) {
	e.Helper()
	e.must(e.Client.Create(e.Context(), object))
}

func (e *env) delete(object client.Object) {
	e.Helper()
	e.must(e.Client.Delete(e.Context(), object))
}

// runOperator runs the operator with its own identity. stop ends it with a signal and returns its log.
func (e *env) runOperator() (stop func() string) {
	e.Helper()
	var written bytes.Buffer
	ctx, cancel := context.WithCancel(e.Context())
	cmd := command(ctx, "--kubeconfig="+e.kubeconfig,
		"--metrics-bind-address=0", "--health-probe-bind-address=127.0.0.1:0", "--leader-elect")
	cmd.Stdout, cmd.Stderr = &written, &written
	e.must(cmd.Start())
	stop = sync.OnceValue(func() string {
		cancel()
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 0 {
			e.Errorf("the operator exited with %v", err)
		}
		return written.String()
	})
	e.Cleanup(func() { stop() })
	return stop
}

// poll waits until done returns true or an error.
func (e *env) poll(done func(context.Context) (bool, error)) error {
	return wait.PollUntilContextTimeout(e.Context(), 20*time.Millisecond, 20*time.Second, true, done)
}

// eventually waits until keywright-runtime has this document, "" if it does not exist.
func (e *env) eventually(what, document string) {
	e.Helper()
	var last string
	err := e.poll(func(ctx context.Context) (bool, error) {
		last = e.runtime(ctx)
		return last == document, nil
	})
	if err != nil {
		e.Fatalf("%s: keywright-runtime is %s, want %s", what, last, document)
	}
}

func (e *env) runtime(ctx context.Context) string {
	var config corev1.ConfigMap
	name := client.ObjectKey{Namespace: stack.Namespace, Name: "keywright-runtime"}
	if err := e.Client.Get(ctx, name, &config); err != nil {
		return ""
	}
	return config.Data["runtime.json"]
}

// digested waits for a document with a digest and returns it.
func (e *env) digested() (document string) {
	e.Helper()
	e.must(e.poll(func(ctx context.Context) (bool, error) {
		document = e.runtime(ctx)
		return strings.Contains(document, "hmac-sha256:"), nil
	}))
	return document
}

func TestOperator_AgainstAPIServer(t *testing.T) {
	e := newEnv(t)
	t.Run("an invalid token", func(t *testing.T) {
		config := &rest.Config{Host: e.Admin.Host, BearerToken: "wrong"}
		config.CAData = e.Admin.CAData
		expectExit(t, 1, "reading Secret keywright-system/keywright-pepper: Unauthorized",
			"--kubeconfig="+kubeconfigOf(t, config))
	})
	t.Run("an identity without rights", func(t *testing.T) {
		e.in(t).create(&corev1.ServiceAccount{ObjectMeta: named("no-rights")})
		expectExit(t, 1, `User "system:serviceaccount:keywright-system:no-rights" cannot get resource "secrets"`,
			"--kubeconfig="+e.in(t).kubeconfigFor("no-rights"))
	})
	t.Run("a broken pepper", func(t *testing.T) {
		pepper := &corev1.Secret{ObjectMeta: named("keywright-pepper"), Data: map[string][]byte{"active": []byte("short")}}
		e.in(t).create(pepper)
		problem := `Secret keywright-system/keywright-pepper is broken: entry "active" has 5 bytes, it must have 32 to 1024`
		expectExit(t, 1, problem, "--kubeconfig="+e.kubeconfig)
		e.in(t).delete(pepper)
	})
	t.Run("no configuration", func(t *testing.T) { e.in(t).startsWithoutConfiguration() })
	t.Run("the bootstrap key", func(t *testing.T) { e.in(t).followsConfiguration() })
	t.Run("the key prefix", func(t *testing.T) { e.in(t).followsKeyPrefix() })
}

// startsWithoutConfiguration checks that an empty document is published and keys are issued.
func (e *env) startsWithoutConfiguration() {
	stop := e.runOperator()
	e.eventually("nothing is configured", `{}`)
	e.expectKey("without-configuration", "ak_")
	stop()
	e.delete(&corev1.ConfigMap{ObjectMeta: named("keywright-runtime")})
}

// followsKeyPrefix checks that a new prefix takes effect without a restart, and that a restart uses the last
// good one.
func (e *env) followsKeyPrefix() {
	e.create(&corev1.ConfigMap{ObjectMeta: named("keywright-config"), Data: map[string]string{"KEY_PREFIX": "kw_"}})
	e.createUser("early")
	stop := e.runOperator()
	e.expectPrefix("early", "kw_")
	e.must(e.Settings(e.Context(), map[string]string{"KEY_PREFIX": "zz_"}))
	e.eventually("another prefix", `{"keyPrefix":"zz_"}`)
	e.expectKey("later", "zz_")
	e.expectPrefix("early", "kw_")
	stop()

	e.must(e.Settings(e.Context(), map[string]string{"KEY_PREFIX": "Not a prefix"}))
	e.createUser("after-invalid-edit")
	e.runOperator()
	e.expectPrefix("after-invalid-edit", "zz_")
}

// createLeftover creates a Secret of an AdminUser in the namespace of another installation, which this one does not
// read.
func (e *env) createLeftover() {
	e.Helper()
	e.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "elsewhere"}})
	user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Name: "leftover", UID: "of-before"}}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: "elsewhere", Name: "leftover-admin-key", Labels: map[string]string{v1alpha1.LabelIssuedFor: "AdminUser"},
		OwnerReferences: []metav1.OwnerReference{
			*metav1.NewControllerRef(user, v1alpha1.SchemeGroupVersion.WithKind("AdminUser")),
		},
	}}
	e.create(secret)
}

func (e *env) createUser(name string) {
	e.Helper()
	e.create(&v1alpha1.AdminUser{ObjectMeta: named(name)})
}

func (e *env) expectKey(name, prefix string) {
	e.Helper()
	e.createUser(name)
	e.expectPrefix(name, prefix)
}

// expectPrefix waits for the user's key and checks its prefix.
func (e *env) expectPrefix(name, prefix string) {
	e.Helper()
	var shown string
	e.must(e.poll(func(ctx context.Context) (bool, error) {
		var user v1alpha1.AdminUser
		err := e.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: name}, &user)
		for _, key := range user.Status.Keys {
			shown = key.Prefix
		}
		return shown != "", err
	}))
	if !strings.HasPrefix(shown, prefix) {
		e.Errorf("the key of %s begins with %s, want %s", name, shown[:3], prefix)
	}
}

// followsConfiguration checks that keywright-runtime follows keywright-config after every change of either.
func (e *env) followsConfiguration() {
	const plaintext = "change-this-admin-secret"
	config := &corev1.ConfigMap{ObjectMeta: named("keywright-config"), Data: map[string]string{"ADMIN_KEY": plaintext}}
	compiled := &corev1.ConfigMap{
		ObjectMeta: named("keywright-runtime"),
		Data:       map[string]string{"runtime.json": `{"bootstrapDigest":"of old"}`},
	}
	e.create(compiled)
	e.createLeftover()

	stop := e.runOperator()
	e.eventually("the configuration was deleted while the operator was down", `{}`)
	e.create(config)
	good := e.digested()
	spoil := client.RawPatch(types.MergePatchType, []byte(`{"data":{"runtime.json":"{}"}}`))
	e.must(e.Client.Patch(e.Context(), compiled.DeepCopy(), spoil))
	e.eventually("edited by hand", good)
	e.delete(compiled)
	e.eventually("deleted by hand", good)
	e.delete(config)
	former, err := runtimeconfig.ParseRuntime(good)
	e.must(err)
	without := runtimeconfig.Runtime{FormerBootstrapDigests: []string{former.BootstrapDigest}}
	e.eventually("the configuration deleted", without.Encode())
	e.checkLog(stop(), plaintext)
	e.delete(compiled)
}

// isShutdownError reports whether controller-runtime logs the error at shutdown: the released lease and interrupted
// reconciles. A request that is interrupted while its reply is read returns an API status that ends with the cause.
func isShutdownError(text string) bool {
	return text == "leader election lost" || strings.HasSuffix(text, context.Canceled.Error())
}

// checkLog checks that the log is JSON lines without an error and without the key.
func (e *env) checkLog(logged, plaintext string) {
	e.Helper()
	levels := map[string]int{}
	for line := range strings.Lines(logged) {
		var entry struct{ Level, Err string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			e.Errorf("not JSON: %s", line)
		}
		if !isShutdownError(entry.Err) {
			levels[entry.Level]++
		}
	}
	if len(levels) != 1 || levels["INFO"] == 0 || strings.Contains(logged, plaintext) {
		e.Errorf("logged %v: %s", levels, logged)
	}
}
