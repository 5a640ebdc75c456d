package gitops

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestGitOps(t *testing.T) {
	kit.RunSpecs(t, "GitOps")
}

// s is started once. The specs use objects with their own names.
var s *stack.Stack

var _ = BeforeSuite(func(ctx SpecContext) {
	s = kit.Stack(ctx, stack.Options{})
	// While this admin exists, no other is the last admin.
	Expect(s.Client.Create(ctx, admin("bystander"))).To(Succeed())
	settled(ctx, "bystander")
}, kit.StartTimeout)

// admin returns a manifest. It sets a field of the spec, because the API server records no manager of an object
// without.
func admin(name string) *v1alpha1.AdminUser {
	return &v1alpha1.AdminUser{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "AdminUser"},
		ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: name},
		Spec:       v1alpha1.AdminUserSpec{Role: v1alpha1.RoleAdmin},
	}
}

func key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: stack.Namespace, Name: name}
}

func get(ctx context.Context, name string) *v1alpha1.AdminUser {
	GinkgoHelper()
	user := &v1alpha1.AdminUser{}
	Expect(s.Client.Get(ctx, key(name), user)).To(Succeed())
	return user
}

// settled returns an AdminUser once it is at rest.
func settled(ctx context.Context, name string) (user *v1alpha1.AdminUser) {
	GinkgoHelper()
	Eventually(ctx, func() error {
		user = get(ctx, name)
		return kit.CheckAtRest(user)
	}).WithTimeout(30 * time.Second).WithPolling(10 * time.Millisecond).Should(Succeed())
	return user
}

// plaintext returns the key in the Secret of an AdminUser.
func plaintext(ctx context.Context, name string) string {
	GinkgoHelper()
	return secretOf(ctx, name+"-admin-key")
}

// secretOf returns the key in a Secret.
func secretOf(ctx context.Context, name string) string {
	GinkgoHelper()
	return secretIn(ctx, stack.Namespace, name)
}

func secretIn(ctx context.Context, namespace, name string) string {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)).To(Succeed())
	return string(secret.Data[v1alpha1.SecretKey])
}

// answer returns the status of the server's reply to a key.
func answer(ctx context.Context, plaintext string) func() int {
	return func() int { return kit.AuthStatus(ctx, s.ServerURL, plaintext) }
}

func kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	out, err := s.Kubectl(ctx, args...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// manifest writes an object to a file, as it would be in Git, and returns the path.
func manifest(object client.Object) string {
	GinkgoHelper()
	content, err := yaml.Marshal(inGit(object))
	Expect(err).NotTo(HaveOccurred())
	return write(GinkgoT().TempDir(), object.GetName()+".yaml", string(content))
}

// inGit returns an object as a manifest has it.
func inGit(object client.Object) *unstructured.Unstructured {
	GinkgoHelper()
	content, err := yaml.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	u := &unstructured.Unstructured{}
	Expect(yaml.Unmarshal(content, u)).To(Succeed())
	unstructured.RemoveNestedField(u.Object, "status")
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	return u
}
