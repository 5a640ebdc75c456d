// Package e2e tests operator and server as processes, each under its own ServiceAccount, on a real API server with
// Keywright's policies in force.
package e2e

import (
	"context"
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestEverythingTogether(t *testing.T) {
	kit.RunSpecs(t, "Everything together")
}

// s is started once. The specs use objects with their own names.
var s *stack.Stack

var _ = BeforeSuite(func(ctx SpecContext) {
	s = kit.Stack(ctx, stack.Options{
		Audit: true,
		// The lowest level, so that a key that is not logged here is logged at no level.
		OperatorArgs: []string{"--log-level=debug", "--leader-elect"},
		ServerArgs:   []string{"--log-level=debug"},
	})
	issued(ctx, keeper)
}, kit.StartTimeout)

// keeper is an admin that always exists, so that others are not the last admin and can be deleted.
const keeper = "keeper"

// create applies an AdminUser.
func create(ctx context.Context, name string) {
	GinkgoHelper()
	Expect(s.Client.Create(ctx,
		&v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: name}})).To(Succeed())
}

// issued creates an AdminUser and returns its key as soon as it can be read.
func issued(ctx context.Context, name string) string {
	GinkgoHelper()
	create(ctx, name)
	return key(ctx, name)
}

func key(ctx context.Context, name string) (plaintext string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		secret := &corev1.Secret{}
		g.Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: name + "-admin-key"}, secret)).
			To(Succeed())
		plaintext = string(secret.Data["key"])
		g.Expect(plaintext).NotTo(BeEmpty())
	}).WithTimeout(patience).WithPolling(5 * time.Millisecond).Should(Succeed())
	return plaintext
}

func edit(ctx context.Context, name string, change func(*v1alpha1.AdminUser)) {
	GinkgoHelper()
	Eventually(ctx, func() error {
		user := &v1alpha1.AdminUser{}
		if err := s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: name}, user); err != nil {
			return err
		}
		change(user)
		return s.Client.Update(ctx, user)
	}).Should(Succeed())
}

// remove deletes an AdminUser. It retries, because the operator needs a moment to see that another admin is active.
func remove(ctx context.Context, name string) {
	GinkgoHelper()
	Eventually(ctx, func() error {
		return s.Client.Delete(ctx,
			&v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: name}})
	}).Should(Succeed())
}

// removeAll removes every AdminUser, the last admin included.
func removeAll(ctx context.Context) {
	GinkgoHelper()
	var users v1alpha1.AdminUserList
	Expect(s.Client.List(ctx, &users)).To(Succeed())
	for i := range users.Items {
		mayGo := client.RawPatch(types.MergePatchType,
			[]byte(`{"metadata":{"annotations":{"`+v1alpha1.AnnotationAllowLastAdminRemoval+`":"true"}}}`))
		Expect(s.Client.Patch(ctx, &users.Items[i], mayGo)).To(Succeed())
		Expect(s.Client.Delete(ctx, &users.Items[i])).To(Succeed())
	}
	Eventually(ctx, func(g Gomega) {
		g.Expect(s.Client.List(ctx, &users)).To(Succeed())
		g.Expect(users.Items).To(BeEmpty())
	}).WithTimeout(patience).Should(Succeed())
}

// patience is long enough for a busy machine.
const patience = 30 * time.Second

// answer is a reply of the gate.
type answer struct {
	status int
	header http.Header
}

// ask sends a key to the gate.
func ask(ctx context.Context, plaintext string) answer {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.ServerURL+"/auth", nil)
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Authorization", "Bearer "+plaintext)
	reply, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	Expect(reply.Body.Close()).To(Succeed())
	return answer{reply.StatusCode, reply.Header}
}

func expectAnswer(ctx context.Context, plaintext string, status int) {
	GinkgoHelper()
	Eventually(ctx, func() int { return ask(ctx, plaintext).status }).
		WithTimeout(patience).WithPolling(time.Millisecond).Should(Equal(status))
}
