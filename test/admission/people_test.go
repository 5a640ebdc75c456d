package admission

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

var group = []string{v1alpha1.SchemeGroupVersion.Group}

// use grants verb use on these names, or on all names if there are none.
func use(resource string, names ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: group, Resources: []string{resource}, ResourceNames: names, Verbs: []string{"use"}}
}

// keys grants these verbs on APIKeys.
func keys(verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: group, Resources: []string{"apikeys"}, Verbs: verbs}
}

// editing grants what keywright-edit and keywright-view grant on APIKeys.
var editing = keys("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")

// as returns a client of a user.
func as(user string) client.Client {
	GinkgoHelper()
	config := rest.CopyConfig(plane.Admin)
	config.Impersonate = rest.ImpersonationConfig{UserName: user}
	c, err := client.New(config, client.Options{Scheme: plane.Client.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return c
}

// person returns a client of a new user with these rules in a namespace, by a Role.
func person(ctx context.Context, namespace string, rules ...rbacv1.PolicyRule) client.Client {
	GinkgoHelper()
	user := newName(ctx, "person")
	meta := metav1.ObjectMeta{Name: user, Namespace: namespace}
	Expect(plane.Client.Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: rules})).To(Succeed())
	bind(ctx, user, "Role", user, namespace)
	awaitRules(ctx, user, namespace, rules)
	return as(user)
}

// holder returns a client of a new user with these ClusterRoles in a namespace, or everywhere if it is empty.
func holder(ctx context.Context, namespace string, roles ...string) client.Client {
	GinkgoHelper()
	user := newName(ctx, "holder")
	for _, role := range roles {
		bind(ctx, user, "ClusterRole", role, namespace)
	}
	for _, role := range roles {
		awaitRules(ctx, user, namespace, clusterRole(ctx, role).Rules)
	}
	return as(user)
}

func clusterRole(ctx context.Context, name string) *rbacv1.ClusterRole {
	GinkgoHelper()
	role := &rbacv1.ClusterRole{}
	Expect(plane.Client.Get(ctx, client.ObjectKey{Name: name}, role)).To(Succeed())
	return role
}

// newClusterRole creates a ClusterRole and returns its name.
func newClusterRole(ctx context.Context, rules ...rbacv1.PolicyRule) string {
	GinkgoHelper()
	name := newName(ctx, "role")
	Expect(plane.Client.Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules})).
		To(Succeed())
	return name
}

func bind(ctx context.Context, user, kind, role, namespace string) {
	GinkgoHelper()
	meta := metav1.ObjectMeta{Name: user + "-" + role, Namespace: namespace}
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: role}
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
	if namespace == "" {
		Expect(plane.Client.Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})).
			To(Succeed())
		return
	}
	Expect(plane.Client.Create(ctx, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})).To(Succeed())
}

// awaitRules waits until the API server, which watches RBAC, allows the user all of this.
func awaitRules(ctx context.Context, user, namespace string, rules []rbacv1.PolicyRule) {
	GinkgoHelper()
	for _, rule := range rules {
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, name := range names {
			Eventually(ctx, func() bool {
				return mayIn(ctx, rule.APIGroups[0], user, rule.Verbs[0], rule.Resources[0], namespace, name)
			}).
				WithTimeout(time.Minute).WithPolling(5*time.Millisecond).Should(BeTrue(), "%s: %v", user, rule)
		}
	}
}

// may reports whether the user may do this to a resource of Keywright.
func may(ctx context.Context, user, verb, resource, namespace, name string) bool {
	GinkgoHelper()
	return mayIn(ctx, group[0], user, verb, resource, namespace, name)
}

func mayIn(ctx context.Context, apiGroup, user, verb, resource, namespace, name string) bool {
	GinkgoHelper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Group: apiGroup, Resource: resource, Namespace: namespace, Name: name,
		},
	}}
	Expect(plane.Client.Create(ctx, review)).To(Succeed())
	return review.Status.Allowed
}
