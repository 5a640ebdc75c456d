package e2e

import (
	"context"
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

var _ = Describe("A key that can be read", func() {
	// The digest is recorded before the Secret is written, but the server's watch may show it a moment later. A workload
	// sees its mounted Secret much later than that.
	It("works within a moment, and always from then on", func(ctx SpecContext) {
		for i := range 20 {
			name := fmt.Sprintf("eager-%d", i)
			plaintext := issued(ctx, name)
			Eventually(ctx, func() int { return ask(ctx, plaintext).status }).
				WithTimeout(time.Second).WithPolling(time.Millisecond).Should(Equal(http.StatusOK))
			for range 20 {
				Expect(ask(ctx, plaintext).status).To(Equal(http.StatusOK))
			}
			remove(ctx, name)
		}
	})

	It("identifies its owner", func(ctx SpecContext) {
		plaintext := issued(ctx, "carol")
		expectAnswer(ctx, plaintext, http.StatusOK)
		reply := ask(ctx, plaintext)
		Expect(reply.header.Get("X-Auth-User")).To(Equal("carol"))
		Expect(reply.header.Get("X-Auth-Subject")).To(Equal("User/carol"))
		Expect(reply.header.Get("X-Auth-Admin")).To(Equal("true"))
		Eventually(ctx, func(g Gomega) {
			user := &v1alpha1.AdminUser{}
			g.Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: "carol"}, user)).To(Succeed())
			g.Expect(kit.CurrentKey(user).ID).To(Equal(reply.header.Get("X-Auth-Key-Id")), "pending until its Secret is written")
		}).WithTimeout(patience).Should(Succeed())
		remove(ctx, "carol")
	})
})

var _ = Describe("Revocation", func() {
	for what, revoke := range map[string]struct {
		do   func(ctx context.Context, name string)
		undo func(ctx context.Context, name string)
	}{
		"deletion": {do: remove},
		"state: Disabled": {
			do: func(ctx context.Context, name string) {
				edit(ctx, name, func(u *v1alpha1.AdminUser) { u.Spec.State = v1alpha1.StateDisabled })
			},
			undo: func(ctx context.Context, name string) {
				edit(ctx, name, func(u *v1alpha1.AdminUser) { u.Spec.State = v1alpha1.StateActive })
			},
		},
		"role: user": {do: func(ctx context.Context, name string) {
			edit(ctx, name, func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser })
		}},
	} {
		// Serial, because the operator is stopped meanwhile.
		It("needs no operator: "+what, Serial, func(ctx SpecContext) {
			plaintext := issued(ctx, "dave")
			expectAnswer(ctx, plaintext, http.StatusOK)
			awaitNoMark(ctx)
			Expect(s.Operator.Stop()).To(Succeed())
			DeferCleanup(func(ctx SpecContext) {
				Expect(client.IgnoreNotFound(s.Client.Delete(ctx,
					&v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "dave"}}))).To(Succeed())
				awaitGone(ctx, "dave-admin-key")
			})
			DeferCleanup(s.Operator.Restart)
			revoke.do(ctx, "dave")
			expectAnswer(ctx, plaintext, http.StatusUnauthorized)
			if revoke.undo != nil {
				revoke.undo(ctx, "dave")
				expectAnswer(ctx, plaintext, http.StatusOK)
			}
		})
	}
})

var _ = Describe("A restart", func() {
	It("of the operator changes nothing", Serial, func(ctx SpecContext) {
		plaintext := issued(ctx, "erin")
		expectAnswer(ctx, plaintext, http.StatusOK)
		Expect(s.Operator.Restart(ctx)).To(Succeed())
		Consistently(ctx, func() int { return ask(ctx, plaintext).status }).Should(Equal(http.StatusOK))
		Expect(key(ctx, "erin")).To(Equal(plaintext))
		remove(ctx, "erin")
	})

	It("of the server accepts every key as soon as it is ready", Serial, func(ctx SpecContext) {
		plaintext := issued(ctx, "frank")
		Expect(s.Server.Restart(ctx)).To(Succeed())
		Expect(ask(ctx, plaintext).status).To(Equal(http.StatusOK))
		remove(ctx, "frank")
	})
})

var _ = Describe("The bootstrap key", func() {
	It("is changed in its Secret without a restart", func(ctx SpecContext) {
		expectAnswer(ctx, s.BootstrapKey, http.StatusOK)
		Expect(ask(ctx, s.BootstrapKey).header.Get("X-Auth-User")).To(Equal("admin"))
		Expect(s.Settings(ctx, map[string]string{"ADMIN_KEY": "another-bootstrap-key"})).To(Succeed())
		expectAnswer(ctx, "another-bootstrap-key", http.StatusOK)
		expectAnswer(ctx, s.BootstrapKey, http.StatusUnauthorized)

		Expect(s.Settings(ctx, map[string]string{"ADMIN_KEY": "short"})).To(Succeed())
		Consistently(ctx, func() int { return ask(ctx, "another-bootstrap-key").status }).Should(Equal(http.StatusOK))

		Expect(s.Settings(ctx, map[string]string{"ADMIN_KEY_SECRET": "keywright-bootstrap/key"})).To(Succeed())
		expectAnswer(ctx, s.BootstrapKey, http.StatusOK)
	})
})

func awaitGone(ctx context.Context, secret string) {
	GinkgoHelper()
	awaitNoSecret(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: secret})
}

func awaitNoSecret(ctx context.Context, secret client.ObjectKey) {
	GinkgoHelper()
	Eventually(ctx, func() bool {
		return apierrors.IsNotFound(s.Client.Get(ctx, secret, &corev1.Secret{}))
	}).WithTimeout(patience).Should(BeTrue(), "Secret %s still exists", secret)
}
