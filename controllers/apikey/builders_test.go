package apikey_test

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
)

func rotate(value string) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) {
		metav1.SetMetaDataAnnotation(&k.ObjectMeta, v1alpha1.AnnotationRotate, value)
	}
}

func withSecret(change func(*v1alpha1.APIKeySecret)) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) {
		if k.Spec.Secret == nil {
			k.Spec.Secret = &v1alpha1.APIKeySecret{}
		}
		change(k.Spec.Secret)
	}
}

// every and overlap each set one half of the rotation and keep the other.
func every(d v1alpha1.Duration) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) {
		if k.Spec.Rotation == nil {
			k.Spec.Rotation = &v1alpha1.Rotation{}
		}
		k.Spec.Rotation.Every = &d
	}
}

func overlap(d v1alpha1.Duration) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) {
		if k.Spec.Rotation == nil {
			k.Spec.Rotation = &v1alpha1.Rotation{}
		}
		k.Spec.Rotation.Overlap = &d
	}
}

func ttl(d v1alpha1.Duration) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) { k.Spec.TTL = &d }
}

// expires ends the keys this long after begin.
func expires(since time.Duration) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) { k.Spec.ExpiresAt = &metav1.Time{Time: begin.Add(since)} }
}

func inState(state v1alpha1.State) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) { k.Spec.State = state }
}

func revoked(k *v1alpha1.APIKey) { k.Spec.State = v1alpha1.StateRevoked }

func byAPI(k *v1alpha1.APIKey) { k.Spec.Delivery = v1alpha1.DeliveryResponse }

func createdByAPI(k *v1alpha1.APIKey) {
	metav1.SetMetaDataLabel(&k.ObjectMeta, v1alpha1.LabelCreatedBy, v1alpha1.CreatedByAPI)
}

func claimUntil(t time.Time) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) {
		metav1.SetMetaDataAnnotation(&k.ObjectMeta, v1alpha1.AnnotationClaimUntil, t.UTC().Format(time.RFC3339))
	}
}

func using(roles ...v1alpha1.RoleName) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) { k.Spec.Roles = roles }
}

func speakingAs(username string) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) {
		k.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: username}
	}
}

// own returns a name that no other spec uses: for roles, which are cluster-scoped, and for usernames in roles.
func (e *env) own(name string) string { return name + "-" + e.Namespace }

// role creates an AccessRole with a name of this env's own.
func (e *env) role(ctx context.Context, name string, change ...func(*v1alpha1.AccessRole)) v1alpha1.RoleName {
	GinkgoHelper()
	role := &v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: e.own(name)}}
	for _, c := range change {
		c(role)
	}
	Expect(suite.Cached.Create(ctx, role)).To(Succeed())
	return v1alpha1.RoleName(role.Name)
}

func (e *env) editRole(ctx context.Context, name v1alpha1.RoleName, edit func(*v1alpha1.AccessRole)) {
	GinkgoHelper()
	role := &v1alpha1.AccessRole{}
	Expect(suite.Plane.Client.Get(ctx, e.Key(string(name)), role)).To(Succeed())
	edit(role)
	Expect(suite.Cached.Update(ctx, role)).To(Succeed())
}

func deleteRole(ctx context.Context, name v1alpha1.RoleName) {
	GinkgoHelper()
	Expect(suite.Cached.Delete(ctx, &v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: string(name)}})).To(Succeed())
}

func maxTTL(d v1alpha1.Duration) func(*v1alpha1.AccessRole) {
	return func(r *v1alpha1.AccessRole) { r.Spec.Limits = &v1alpha1.Limits{MaxTTL: &d} }
}

// bind creates an AccessRoleBinding with a name of this env's own to a role of that name, and returns its name.
func (e *env) bind(ctx context.Context, name string, change ...func(*v1alpha1.AccessRoleBinding)) string {
	GinkgoHelper()
	binding := &v1alpha1.AccessRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: e.own(name)}}
	binding.Spec.RoleRef.Name = v1alpha1.RoleName(e.own(name))
	for _, c := range change {
		c(binding)
	}
	Expect(suite.Cached.Create(ctx, binding)).To(Succeed())
	return binding.Name
}

func (e *env) editBinding(ctx context.Context, name string, edit func(*v1alpha1.AccessRoleBinding)) {
	GinkgoHelper()
	binding := &v1alpha1.AccessRoleBinding{}
	Expect(suite.Plane.Client.Get(ctx, e.Key(name), binding)).To(Succeed())
	edit(binding)
	Expect(suite.Cached.Update(ctx, binding)).To(Succeed())
}

func users(usernames ...string) func(*v1alpha1.AccessRoleBinding) {
	return func(b *v1alpha1.AccessRoleBinding) {
		b.Spec.Subjects = nil
		for _, name := range usernames {
			b.Spec.Subjects = append(b.Spec.Subjects, v1alpha1.BoundSubject{
				Kind: v1alpha1.BoundUser, Name: v1alpha1.Username(name),
			})
		}
	}
}

func denying(b *v1alpha1.AccessRoleBinding) { b.Spec.APIKeys = v1alpha1.KeysDenied }

// adminUser creates an AdminUser. No controller reconciles it here.
func adminUser(ctx context.Context, namespace, username string, state v1alpha1.State) *v1alpha1.AdminUser {
	GinkgoHelper()
	user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: strings.ToLower(username)}}
	user.Spec.Username, user.Spec.State = username, state
	Expect(suite.Cached.Create(ctx, user)).To(Succeed())
	return user
}
