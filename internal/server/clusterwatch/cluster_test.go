package clusterwatch

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

// cluster is a watcher of a real API server, under the server's own identity. No operator runs: the test records what
// it would.
type cluster struct {
	*fixture
	plane *stack.ControlPlane
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	plane, err := stack.StartControlPlane(t.Context(), stack.Options{Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := plane.InstallPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &cluster{plane: plane, fixture: &fixture{t: t}}
}

// follow runs a watcher of this scope until the test ends.
func (c *cluster) follow(t *testing.T, config *rest.Config, scope keyholder.Scope) *cluster {
	t.Helper()
	f := &fixture{t: t, index: &verify.Index{}, log: &kit.Log{}}
	f.verifier = verify.NewVerifier(f.index, keyformat.Format{Prefix: keyformat.DefaultPrefix}, keyring(t))
	var err error
	if f.watcher, err = New(config, scope, Targets{Index: f.index}, slog.New(slog.NewJSONHandler(f.log,
		nil))); err != nil {
		t.Fatal(err)
	}
	f.run()
	f.ready()
	return &cluster{plane: c.plane, fixture: f}
}

func (c *cluster) server(t *testing.T) *rest.Config {
	t.Helper()
	config, err := c.plane.ServiceAccountConfig(t.Context(), "keywright-server")
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func (c *cluster) create(object client.Object) {
	c.t.Helper()
	if err := c.plane.Client.Create(c.t.Context(), object); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) delete(object client.Object) {
	c.t.Helper()
	if err := c.plane.Client.Delete(c.t.Context(), object); err != nil {
		c.t.Fatal(err)
	}
}

// edit changes the present state of the object.
func edit[O client.Object](c *cluster, object O, change func(O)) {
	c.t.Helper()
	if err := c.plane.Client.Get(c.t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		c.t.Fatal(err)
	}
	change(object)
	if err := c.plane.Client.Update(c.t.Context(), object); err != nil {
		c.t.Fatal(err)
	}
}

// record writes the status that the operator would write.
func (c *cluster) record(object client.Object, keys ...v1alpha1.KeyStatus) {
	c.t.Helper()
	switch o := object.(type) {
	case *v1alpha1.AdminUser:
		o.Status.Keys = keys
	case *v1alpha1.APIKey:
		o.Status.Keys = keys
	}
	if err := c.plane.Client.Status().Update(c.t.Context(), object); err != nil {
		c.t.Fatal(err)
	}
}

func keyStatus(plaintext string) v1alpha1.KeyStatus {
	ring, err := pepper.Load(map[string][]byte{pepper.Active: bytes.Repeat([]byte{'p'}, 32)})
	if err != nil {
		panic(err)
	}
	d := ring.Digest(plaintext)
	return v1alpha1.KeyStatus{
		ID: d.KeyID(), Digest: d.String(), State: v1alpha1.KeyCurrent, IssuedAt: metav1.Now(),
	}
}

// issue creates an APIKey in namespace default with a key of its own.
func (c *cluster) issue(name string, subject v1alpha1.Subject,
	change func(*v1alpha1.APIKey)) (object *v1alpha1.APIKey, plaintext string) {
	c.t.Helper()
	plaintext = "the-key-recorded-for-" + name
	object = &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	object.Spec.Subject = subject
	if change != nil {
		change(object)
	}
	c.create(object)
	c.record(object, keyStatus(plaintext))
	c.becomes(plaintext, verify.Accepted)
	return object, plaintext
}

func (c *cluster) may(plaintext, action string) bool {
	return c.verifier.May(c.verifier.Verify(plaintext, time.Now()), access.Request{Action: action,
		Resource: "certificate:42"})
}

func (c *cluster) mayBecomes(plaintext, action string, want bool) {
	c.t.Helper()
	c.eventually(fmt.Sprintf("%s may %s: %t", plaintext, action, want), func() bool {
		return c.may(plaintext,
			action) == want
	})
}

var (
	ci    = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
	alice = v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "alice"}
)

func role(name string, spec v1alpha1.AccessRoleSpec) *v1alpha1.AccessRole {
	return &v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
}

func binding(name, role string, users ...v1alpha1.Username) *v1alpha1.AccessRoleBinding {
	b := &v1alpha1.AccessRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
	b.Spec.RoleRef.Name = v1alpha1.RoleName(role)
	for _, user := range users {
		b.Spec.Subjects = append(b.Spec.Subjects, v1alpha1.BoundSubject{Kind: v1alpha1.BoundUser, Name: user})
	}
	return b
}

func permission(effect v1alpha1.Effect, action v1alpha1.Action) v1alpha1.Permission {
	return v1alpha1.Permission{Effect: effect, Actions: []v1alpha1.Action{action}, Resources: []v1alpha1.Resource{"*"}}
}

func TestWatcher_RealAPIServer(t *testing.T) {
	whole := newCluster(t)
	server := whole.server(t)
	for name, story := range map[string]func(*cluster){
		"enabled, disabled, revoked": endsOfAKey,
		"times":                      timesOfAKey,
		"roles":                      rolesOfAKey,
		"the owner":                  ownerOfAKey,
		"the last admin":             lastAdmin,
	} {
		t.Run(name, func(t *testing.T) { story(whole.follow(t, server, keyholder.Scope{System: stack.Namespace})) })
	}
	t.Run("decoding", func(t *testing.T) {
		decodesRealEvents(whole.follow(t, server, keyholder.Scope{System: stack.Namespace}), t)
	})
	t.Run("only the namespaces in scope", func(t *testing.T) { onlyNamed(whole, t) })
	t.Run("a forbidden list", func(t *testing.T) { forbidden(whole, t) })
}

func endsOfAKey(c *cluster) {
	object, presented := c.issue("switched", ci, nil)
	if got := c.verifier.Verify(presented, time.Now()).Identity(); got != (verify.Identity{Subject: "Account/ci"}) {
		c.t.Errorf("speaks as %+v", got)
	}
	edit(c, object, func(k *v1alpha1.APIKey) { k.Spec.State = v1alpha1.StateDisabled })
	c.becomes(presented, verify.Disabled)
	edit(c, object, func(k *v1alpha1.APIKey) { k.Spec.State = v1alpha1.StateActive })
	c.becomes(presented, verify.Accepted)
	edit(c, object, func(k *v1alpha1.APIKey) { k.Spec.State = v1alpha1.StateRevoked })
	c.becomes(presented, verify.Revoked)

	edit(c, object, func(k *v1alpha1.APIKey) { k.Finalizers = []string{"example.com/held"} })
	c.delete(object)
	c.becomes(presented, verify.Deleted)
	edit(c, object, func(k *v1alpha1.APIKey) { k.Finalizers = nil })
	c.becomes(presented, verify.Unknown)
}

func timesOfAKey(c *cluster) {
	object, presented := c.issue("timed", ci, nil)
	at := func(when time.Time) verify.Reason { return c.verifier.Verify(presented, when).Reason }
	issued := object.Status.Keys[0].IssuedAt.Time
	expires := func(end time.Time) {
		c.t.Helper()
		c.eventually(fmt.Sprintf("it ends at %s", end), func() bool {
			return at(end.Add(-time.Microsecond)) == verify.Accepted && at(end) == verify.Expired
		})
	}
	edit(c, object, func(k *v1alpha1.APIKey) { k.Spec.ExpiresAt = &metav1.Time{Time: issued.Add(time.Hour)} })
	expires(issued.Add(time.Hour))
	edit(c, object, func(k *v1alpha1.APIKey) {
		k.Spec.ExpiresAt, k.Spec.TTL = nil, new(v1alpha1.Duration("90m"))
	})
	expires(issued.Add(90 * time.Minute))
	short := role("short", v1alpha1.AccessRoleSpec{Limits: &v1alpha1.Limits{MaxTTL: new(v1alpha1.Duration("2m"))}})
	c.create(short)
	edit(c, object, func(k *v1alpha1.APIKey) { k.Spec.Roles = []v1alpha1.RoleName{"short"} })
	expires(issued.Add(2 * time.Minute))
	edit(c, short, func(r *v1alpha1.AccessRole) { r.Spec.Limits.MaxTTL = new(v1alpha1.Duration("3m")) })
	expires(issued.Add(3 * time.Minute))
	c.delete(short)
	c.becomes(presented, verify.UnknownRole)
	edit(c, object, func(k *v1alpha1.APIKey) { k.Spec.Roles = nil })
	expires(issued.Add(90 * time.Minute))
	// The recorded end of a current key is a copy of another one. That of an overlapping key counts.
	recorded := object.Status.Keys[0]
	recorded.ExpiresAt, recorded.State = &metav1.Time{Time: issued.Add(time.Minute)}, v1alpha1.KeyOverlapping
	c.record(object, recorded)
	expires(issued.Add(time.Minute))
	edit(c, object, func(k *v1alpha1.APIKey) { k.Spec.TTL = nil })
	expires(issued.Add(time.Minute))
	recorded.State = v1alpha1.KeyCurrent
	c.record(object, recorded)
	c.eventually("it has no end", func() bool { return at(issued.AddDate(100, 0, 0)) == verify.Accepted })
	// The first instant that can be written is a past end, not the absence of one.
	edit(c, object, func(k *v1alpha1.APIKey) { k.Spec.ExpiresAt = &metav1.Time{Time: time.Time{}.Add(time.Second)} })
	c.becomes(presented, verify.Expired)
}

func rolesOfAKey(c *cluster) {
	reader := role("reader", v1alpha1.AccessRoleSpec{Permissions: []v1alpha1.Permission{permission(v1alpha1.EffectAllow,
		"certs.read")}})
	object, presented := c.issue("scoped", ci, func(k *v1alpha1.APIKey) {
		k.Spec.Scopes = []v1alpha1.Scope{"certs.write"}
	})
	mayNothing := func() {
		c.t.Helper()
		c.becomes(presented, verify.UnknownRole)
		for _, action := range []string{"certs.read", "certs.write"} {
			if c.may(presented, action) {
				c.t.Errorf("without its role, the key may do %s", action)
			}
		}
	}
	edit(c, object, func(k *v1alpha1.APIKey) { k.Spec.Roles = []v1alpha1.RoleName{"reader"} })
	mayNothing()
	c.create(reader)
	c.mayBecomes(presented, "certs.read", true)
	c.mayBecomes(presented, "certs.write", true)
	edit(c, reader, func(r *v1alpha1.AccessRole) {
		r.Spec.Permissions = append(r.Spec.Permissions, permission(v1alpha1.EffectDeny, "certs.write"))
	})
	c.mayBecomes(presented, "certs.write", false)
	if !c.may(presented, "certs.read") {
		c.t.Error("a DENY of another action denies this one")
	}
	c.delete(reader)
	mayNothing()
}

func ownerOfAKey(c *cluster) {
	_, presented := c.issue("alices", alice, func(k *v1alpha1.APIKey) { k.Spec.Scopes = []v1alpha1.Scope{"certs.read"} })
	if got := c.verifier.Verify(presented, time.Now()).Identity(); got != (verify.Identity{Username: "alice",
		Subject: "User/alice"}) {
		c.t.Errorf("speaks as %+v", got)
	}
	if c.may(presented, "certs.read") {
		c.t.Error("the key may do what alice may not")
	}
	self := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "alice"}}
	c.create(self)
	c.mayBecomes(presented, "certs.read", true)
	edit(c, self, func(u *v1alpha1.AdminUser) { u.Spec.State = v1alpha1.StateDisabled })
	c.becomes(presented, verify.OwnerDisabled)
	edit(c, self, func(u *v1alpha1.AdminUser) { u.Spec.State, u.Spec.Role = v1alpha1.StateActive, v1alpha1.RoleUser })
	c.becomes(presented, verify.Accepted)
	c.mayBecomes(presented, "certs.read", false)

	staff := role("staff", v1alpha1.AccessRoleSpec{
		Permissions: []v1alpha1.Permission{permission(v1alpha1.EffectAllow, "certs.read")},
	})
	alices := binding("alices", "staff", "alice")
	c.create(staff)
	c.create(alices)
	c.mayBecomes(presented, "certs.read", true)
	c.delete(staff)
	c.mayBecomes(presented, "certs.read", false)
	staff.ResourceVersion = ""
	c.create(staff)
	c.mayBecomes(presented, "certs.read", true)
	edit(c, alices, func(b *v1alpha1.AccessRoleBinding) { b.Spec.Subjects[0].Name = "bob" })
	c.mayBecomes(presented, "certs.read", false)
	edit(c, alices, func(b *v1alpha1.AccessRoleBinding) {
		b.Spec.Subjects[0].Name, b.Spec.APIKeys = "alice", v1alpha1.KeysDenied
	})
	c.becomes(presented, verify.OwnerDenied)
	c.delete(alices)
	c.becomes(presented, verify.Accepted)
	c.mayBecomes(presented, "certs.read", false)
	c.delete(staff)
	c.delete(self)
}

func lastAdmin(c *cluster) {
	own := func(name string) (*v1alpha1.AdminUser, string) {
		u := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{
			Namespace: stack.Namespace, Name: name, Finalizers: []string{v1alpha1.FinalizerLastAdmin},
		}}
		c.create(u)
		c.record(u, keyStatus("the-admin-key-of-"+name))
		c.becomes("the-admin-key-of-"+name, verify.Accepted)
		return u, "the-admin-key-of-" + name
	}
	bob, bobs := own("bob")
	carol, carols := own("carol")
	c.delete(bob)
	c.becomes(bobs, verify.Deleted)
	c.delete(carol)
	c.becomes(bobs, verify.Accepted)
	if got := c.verdict(carols); got != verify.Accepted {
		c.t.Errorf("the last admin is %s", got)
	}
	edit(c, bob, func(u *v1alpha1.AdminUser) { u.Finalizers = nil })
	c.becomes(bobs, verify.Unknown)
	dave, _ := own("dave")
	c.becomes(carols, verify.Deleted)
	edit(c, dave, func(u *v1alpha1.AdminUser) { u.Spec.State = v1alpha1.StateDisabled })
	c.becomes(carols, verify.Accepted)
	edit(c, carol, func(u *v1alpha1.AdminUser) {
		u.Annotations = map[string]string{v1alpha1.AnnotationAllowLastAdminRemoval: "true"}
	})
	c.becomes(carols, verify.Deleted)
	for _, u := range []*v1alpha1.AdminUser{carol, dave} {
		edit(c, u, func(u *v1alpha1.AdminUser) { u.Finalizers = nil })
	}
	c.delete(dave)
}

// A server that may list in single namespaces never lists in all.
func onlyNamed(whole *cluster, t *testing.T) {
	named := whole.follow(t, whole.server(t), keyholder.Scope{System: stack.Namespace, Namespaces: []string{"default",
		"kube-public"}})
	here, presented := named.issue("here", ci, nil)
	elsewhere := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "elsewhere"}}
	elsewhere.Spec.Subject = ci
	named.create(elsewhere)
	named.record(elsewhere, keyStatus("the-key-of-somewhere-else"))
	all := whole.follow(t, whole.server(t), keyholder.Scope{System: stack.Namespace})
	all.becomes("the-key-of-somewhere-else", verify.Accepted)
	if got := named.verdict("the-key-of-somewhere-else"); got != verify.Unknown {
		t.Errorf("a key outside the scope is %s", got)
	}
	named.delete(here)
	named.becomes(presented, verify.Unknown)
	if n := len(named.log.Lines(`"resource":"apikeys in default"`)); n == 0 {
		t.Error("the log does not name the namespace")
	}
}

// A forbidden list keeps the watcher from being ready, with the reason.
func forbidden(whole *cluster, t *testing.T) {
	unprivileged := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "unprivileged"}}
	if err := whole.plane.Client.Create(t.Context(), unprivileged); err != nil {
		t.Fatal(err)
	}
	config, err := whole.plane.ServiceAccountConfig(t.Context(), unprivileged.Name)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, index: &verify.Index{}, log: &kit.Log{}}
	if f.watcher, err = New(config, keyholder.Scope{System: stack.Namespace}, Targets{Index: f.index},
		slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	f.run()
	f.eventually("it reports the reason", func() bool {
		err := f.watcher.Ready()
		return err != nil && strings.Contains(err.Error(), "forbidden")
	})
}
