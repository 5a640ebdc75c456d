package apikey

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/operator/issuer"
)

const (
	systemNamespace = "keywright-system"
	presented       = "the-key-of-an-object-of-this-test"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// cluster has the objects that operator and server read.
type cluster struct {
	key      *v1alpha1.APIKey
	users    []v1alpha1.AdminUser
	roles    []v1alpha1.AccessRole
	bindings []v1alpha1.AccessRoleBinding
	limits   lifecycle.Limits
}

var (
	roleNames    = []string{"one", "two"}
	bindingNames = []string{"first", "second", "third"}
)

func drawCluster(t *rapid.T, digest pepper.Digest) *cluster {
	c := &cluster{key: drawKey(t, digest), limits: drawLimits(t)}
	for i, name := range []string{"alice", "ALICE"} {
		if rapid.Bool().Draw(t, name+" exists") {
			c.users = append(c.users, drawUser(t, strings.Repeat("u", i+1), name))
		}
	}
	c.roles, c.bindings = drawSome(t, roleNames, drawRole), drawSome(t, bindingNames, drawBinding)
	return c
}

func drawLimits(t *rapid.T) lifecycle.Limits {
	some := rapid.SampledFrom([]time.Duration{0, 0, time.Hour, 2 * time.Hour, time.Hour + time.Second})
	return lifecycle.Limits{MaxTTL: some.Draw(t, "MAX_TTL"), DefaultTTL: some.Draw(t, "DEFAULT_TTL")}
}

func drawUser(t *rapid.T, object, name string) v1alpha1.AdminUser {
	user := v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{
		Namespace: systemNamespace, Name: object, UID: types.UID(name),
		CreationTimestamp: metav1.NewTime(noon.Add(-time.Duration(rapid.IntRange(1, 2).Draw(t, "age")) * time.Hour)),
	}}
	user.Spec.Username, user.Spec.State = name, drawState(t, v1alpha1.StateDisabled)
	user.Spec.Role = rapid.SampledFrom([]v1alpha1.Role{"", v1alpha1.RoleAdmin, v1alpha1.RoleUser}).Draw(t, "role")
	user.Status.ID = rapid.SampledFrom([]string{"", "former"}).Draw(t, "id")
	if rapid.IntRange(0, 5).Draw(t, "deleted") == 0 {
		finalizers := []string{v1alpha1.FinalizerLastAdmin, v1alpha1.FinalizerKeepSecret}
		user.DeletionTimestamp = &metav1.Time{Time: noon}
		user.Finalizers = []string{rapid.SampledFrom(finalizers).Draw(t, "finalizer")}
	}
	return user
}

// drawSome draws objects of some of these names.
func drawSome[O any](t *rapid.T, names []string, draw func(*rapid.T, string) O) (drawn []O) {
	for _, name := range names {
		if rapid.Bool().Draw(t, name+" exists") {
			drawn = append(drawn, draw(t, name))
		}
	}
	return drawn
}

func drawRole(t *rapid.T, name string) v1alpha1.AccessRole {
	role := v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if limit := drawDuration(t, "maxTTL"); limit != nil {
		role.Spec.Limits = &v1alpha1.Limits{MaxTTL: limit}
	}
	return role
}

func drawBinding(t *rapid.T, name string) v1alpha1.AccessRoleBinding {
	binding := v1alpha1.AccessRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
	binding.Spec.RoleRef.Name = rapid.SampledFrom([]v1alpha1.RoleName{"one", "two", "missing"}).Draw(t, "role")
	ownership := []v1alpha1.KeyOwnership{"", v1alpha1.KeysAllowed, v1alpha1.KeysDenied}
	binding.Spec.APIKeys = rapid.SampledFrom(ownership).Draw(t, "apiKeys")
	listed := [][]v1alpha1.Username{nil, {"alice"}, {"ALICE", "alice"}, {"aLICE"}}
	for _, name := range rapid.SampledFrom(listed).Draw(t, "users") {
		subject := v1alpha1.BoundSubject{Kind: v1alpha1.BoundUser, Name: name}
		binding.Spec.Subjects = append(binding.Spec.Subjects, subject)
	}
	return binding
}

func drawKey(t *rapid.T, digest pepper.Digest) *v1alpha1.APIKey {
	key := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ci", UID: "key"}}
	key.CreationTimestamp = metav1.NewTime(noon.Add(-3 * time.Hour))
	key.Spec.Subject = rapid.SampledFrom([]v1alpha1.Subject{
		{Kind: v1alpha1.SubjectUser, Name: "alice"}, {Kind: v1alpha1.SubjectUser, Name: "Alice"},
		{Kind: v1alpha1.SubjectAccount, Name: "ci"}, {},
	}).Draw(t, "subject")
	key.Spec.Roles = rapid.SampledFrom([][]v1alpha1.RoleName{nil, {"one"}, {"one", "two"}}).Draw(t, "roles")
	key.Spec.State = drawState(t, v1alpha1.StateDisabled, v1alpha1.StateRevoked)
	if rapid.IntRange(0, 5).Draw(t, "deleted") == 0 {
		key.DeletionTimestamp = &metav1.Time{Time: noon}
	}
	if offset := rapid.IntRange(-3, 3).Draw(t, "expiresAt"); offset != 0 {
		key.Spec.ExpiresAt = &metav1.Time{Time: noon.Add(time.Duration(offset) * 1500 * time.Millisecond)}
	}
	key.Spec.TTL = drawDuration(t, "ttl")
	if owner := rapid.SampledFrom([]string{"", "", "alice", "ALICE", "former"}).Draw(t, "owner"); owner != "" {
		key.Status.Owner = &v1alpha1.KeyOwner{ID: owner}
	}
	issued := noon.Add(-time.Duration(rapid.IntRange(0, 2).Draw(t, "issued")) * time.Hour)
	key.Status.Keys = []v1alpha1.KeyStatus{{
		Digest: digest.String(), IssuedAt: metav1.NewTime(issued), State: v1alpha1.KeyCurrent,
	}}
	return key
}

// drawState draws Active, unset or one of the others.
func drawState(t *rapid.T, others ...v1alpha1.State) v1alpha1.State {
	return rapid.SampledFrom(append([]v1alpha1.State{"", "", v1alpha1.StateActive}, others...)).Draw(t, "state")
}

func drawDuration(t *rapid.T, label string) *v1alpha1.Duration {
	drawn := rapid.SampledFrom([]v1alpha1.Duration{"", "", "1h", "2h", "1h1s"}).Draw(t, label)
	if drawn == "" {
		return nil
	}
	return &drawn
}

// operator returns why the operator refuses the key, and the end that it records.
func (c *cluster) operator(t *rapid.T, now time.Time) (why string, end time.Time) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	b := &indexedBuilder{fake.NewClientBuilder().WithScheme(scheme)}
	for _, index := range []func() error{
		func() error { return Index(t.Context(), b) }, func() error { return keyholder.IndexUsernames(t.Context(), b) },
	} {
		if err := index(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range c.users {
		b.WithObjects(c.users[i].DeepCopy())
	}
	for i := range c.roles {
		b.WithObjects(c.roles[i].DeepCopy())
	}
	for i := range c.bindings {
		b.WithObjects(c.bindings[i].DeepCopy())
	}
	objects := b.Build()
	r := &Reconciler{Client: objects, Issuer: &issuer.Issuer{Live: objects}, System: systemNamespace}
	r.Limits = &Limits{last: c.limits}
	resolved, err := r.resolve(t.Context(), c.key)
	if err != nil {
		t.Fatal(err)
	}
	target := describe(c.key, resolved)
	target.Spec.Blocked, target.Spec.Deleted, target.Spec.Revoked = target.Blocked != nil, false, false
	keys := convert.Keys(c.key.Status.Keys)
	facts := lifecycle.Facts{Now: now, Spec: target.Spec, Status: lifecycle.Status{Keys: keys}}
	if plan := lifecycle.Decide(facts); plan.Step == lifecycle.Amend {
		keys = plan.Keys
	}
	end = lifecycle.Current(keys).ExpiresAt
	switch {
	case target.Refused != nil:
		why = target.Refused.Reason
	case target.Idle != nil && !lifecycle.Ended(end, now):
		why = target.Idle.Reason
	}
	return why, end
}

// server returns why the server refuses the key, and the end that it enforces.
func (c *cluster) server(t *rapid.T, ring *pepper.Keyring, now time.Time) (why verify.Reason, end time.Time) {
	index := &verify.Index{}
	c.watch(t, index)
	verifier := verify.NewVerifier(index, keyformat.Format{Prefix: keyformat.DefaultPrefix}, ring)
	verdict := verifier.Verify(presented, now)
	return verdict.Reason, verdict.Ends()
}

// watch puts all objects into an index as watches do: in any order, and after former roles and bindings.
func (c *cluster) watch(t *rapid.T, index *verify.Index) {
	former := &cluster{
		limits: drawLimits(t), roles: drawSome(t, roleNames, drawRole), bindings: drawSome(t, bindingNames, drawBinding),
	}
	before, after := former.events(index), c.events(index)
	for _, name := range roleNames {
		if !slices.ContainsFunc(c.roles, func(r v1alpha1.AccessRole) bool { return r.Name == name }) {
			after = append(after, func() { index.DeleteRole(name) })
		}
	}
	for _, name := range bindingNames {
		if !slices.ContainsFunc(c.bindings, func(b v1alpha1.AccessRoleBinding) bool { return b.Name == name }) {
			after = append(after, func() { index.DeleteBinding(name) })
		}
	}
	if rapid.Bool().Draw(t, "the key comes first") {
		put(index, keyholder.APIKey, c.key)
	}
	after = append(after, func() { put(index, keyholder.APIKey, c.key) })
	for _, event := range slices.Concat(
		rapid.Permutation(before).Draw(t, "before"), rapid.Permutation(after).Draw(t, "after")) {
		event()
	}
}

// events puts each object into the index, apart from the key.
func (c *cluster) events(index *verify.Index) (events []func()) {
	events = append(events, func() { index.SetLimits(c.limits) })
	for i := range c.roles {
		events = append(events, func() { index.PutRole(c.roles[i].Name, convert.Role(&c.roles[i])) })
	}
	for i := range c.bindings {
		events = append(events, func() { index.PutBinding(c.bindings[i].Name, convert.Binding(&c.bindings[i])) })
	}
	for i := range c.users {
		events = append(events, func() { put(index, keyholder.AdminUser, &c.users[i]) })
	}
	return events
}

func put(index *verify.Index, kind string, o keyholder.Object) {
	object, _ := convert.KeyObject(o)
	index.Put(verify.ID{Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName()}, object)
}

// indexedBuilder adds the indexes of a cache to a fake client.
type indexedBuilder struct{ *fake.ClientBuilder }

func (b *indexedBuilder) IndexField(
	_ context.Context, o client.Object, field string, extract client.IndexerFunc,
) error {
	b.WithIndex(o, field, extract)
	return nil
}

// reasonOf maps the server's reasons to condition reasons.
var reasonOf = map[verify.Reason]string{
	verify.Accepted: "", verify.Expired: "", verify.Unknown: v1alpha1.ReasonNoKey, verify.Deleted: v1alpha1.ReasonDeleted,
	verify.Revoked: v1alpha1.ReasonRevoked, verify.Disabled: v1alpha1.ReasonDisabled,
	verify.OwnerGone: v1alpha1.ReasonOwnerGone, verify.OwnerDisabled: v1alpha1.ReasonOwnerDisabled,
	verify.OwnerDenied: v1alpha1.ReasonOwnerDenied, verify.UnknownRole: v1alpha1.ReasonUnknownRole,
}

// agree compares the reasons of operator and server. Status keeps the end in whole seconds, rounded up, so the operator
// reports a missing role for up to a second longer.
func agree(operator string, server verify.Reason) bool {
	want, known := reasonOf[server]
	return known && operator == want || server == verify.Expired && operator == v1alpha1.ReasonUnknownRole
}

// For any cluster, operator and server agree on whether and why a key is refused, and until when it is accepted.
func TestOperatorAndServer_AgreeOnAPIKeys(t *testing.T) {
	ring, err := pepper.Load(map[string][]byte{pepper.Active: []byte(strings.Repeat("p", pepper.MinLength))})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		c := drawCluster(t, ring.Digest(presented))
		now := noon.Add(time.Duration(rapid.IntRange(-4, 4).Draw(t, "now")) * 500 * time.Millisecond)
		why, recorded := c.operator(t, now)
		reason, end := c.server(t, ring, now)
		if !agree(why, reason) {
			t.Fatalf("the operator refuses the key for %q, the server for %s: %+v", why, reason, c)
		}
		if reason != verify.Accepted && reason != verify.UnknownRole && reason != verify.Expired {
			return
		}
		if ended := lifecycle.Ended(recorded, now); ended && reason != verify.Expired {
			t.Fatalf("the operator ends the key at %s, the server accepts it at %s", recorded, now)
		}
		if reason == verify.Expired {
			if recorded.IsZero() || now.Add(time.Second).Before(recorded) {
				t.Fatalf("the operator ends the key at %s, the server refuses it at %s", recorded, now)
			}
			return
		}
		if end.IsZero() != recorded.IsZero() || !end.IsZero() && !recorded.Equal(lifecycle.WholeSecond(end)) {
			t.Fatalf("the operator ends the key at %s, the server at %s", recorded, end)
		}
	})
}
