// Package lastadmin tests that one admin always remains, with operator, server and policies.
package lastadmin

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestLastAdmin(t *testing.T) {
	kit.RunSpecs(t, "The last admin, everything together")
}

var s *stack.Stack

var _ = BeforeSuite(func(ctx SpecContext) {
	s = kit.Stack(ctx, stack.Options{})
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(10 * time.Millisecond)
}, kit.StartTimeout)

func named(name string) *v1alpha1.AdminUser {
	return &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: name}}
}

// issued creates admins and returns their keys, by name, as soon as the server accepts them.
func issued(ctx context.Context, names ...string) map[string]string {
	GinkgoHelper()
	keys := map[string]string{}
	for _, name := range names {
		Expect(s.Client.Create(ctx, named(name))).To(Succeed())
	}
	for _, name := range names {
		Eventually(ctx, func(g Gomega) {
			secret := &corev1.Secret{}
			g.Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: name + "-admin-key"}, secret)).
				To(Succeed())
			keys[name] = string(secret.Data["key"])
			g.Expect(ask(ctx, keys[name])).To(Equal(http.StatusOK))
			user := named(name)
			g.Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(user), user)).To(Succeed())
			g.Expect(meta.IsStatusConditionTrue(user.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
		}).Should(Succeed())
	}
	return keys
}

// ask returns the status of the server's reply to a key.
func ask(ctx context.Context, key string) int {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.ServerURL+"/auth", nil)
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Authorization", "Bearer "+key)
	reply, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	Expect(reply.Body.Close()).To(Succeed())
	return reply.StatusCode
}

func all(ctx context.Context) []v1alpha1.AdminUser {
	GinkgoHelper()
	var list v1alpha1.AdminUserList
	Expect(s.Client.List(ctx, &list, client.InNamespace(stack.Namespace))).To(Succeed())
	return list.Items
}

// anchored returns the number of AdminUsers with the finalizer.
func anchored(ctx context.Context) (number int) {
	GinkgoHelper()
	for _, u := range all(ctx) {
		if slices.Contains(u.Finalizers, v1alpha1.FinalizerLastAdmin) {
			number++
		}
	}
	return number
}

// deleteAll deletes these AdminUsers in the same instant. The policy may refuse it.
func deleteAll(ctx context.Context, names []string) {
	GinkgoHelper()
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for _, name := range names {
		ready.Add(1)
		done.Go(func() {
			defer GinkgoRecover()
			ready.Done()
			<-start
			if err := s.Client.Delete(ctx, named(name)); err != nil {
				Expect(apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
			}
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}

var _ = Describe("Admins deleted in the same instant", Ordered, func() {
	const tries = 25
	for _, number := range []int{2, 4} {
		It(fmt.Sprintf("leave one whose key works: %d at once, %d times over", number, tries), func(ctx SpecContext) {
			keys := map[string]string{}
			for try := range tries {
				var names []string
				for i := range number {
					names = append(names, fmt.Sprintf("a%d-%d-%d", number, try, i))
				}
				for name, key := range issued(ctx, names...) {
					keys[name] = key
				}
				// The protection starts a moment later, when the operator has seen the first active admin.
				Eventually(ctx, anchored).ShouldNot(BeZero())
				for _, u := range all(ctx) {
					names = append(names, u.Name)
				}
				deleteAll(ctx, names)
				Eventually(ctx, func(g Gomega) {
					left := all(ctx)
					g.Expect(left).To(HaveLen(1), "try %d", try)
					g.Expect(meta.IsStatusConditionTrue(left[0].Status.Conditions, v1alpha1.ConditionLastAdmin)).To(BeTrue())
					for name, key := range keys {
						want := http.StatusUnauthorized
						if name == left[0].Name {
							want = http.StatusOK
						}
						g.Expect(ask(ctx, key)).To(Equal(want), "%s, when %s is left", name, left[0].Name)
					}
				}).Should(Succeed())
			}
		}, SpecTimeout(5*time.Minute))
	}
})

var _ = Describe("The last admin", Ordered, func() {
	It("cannot be deleted, demoted or disabled, unless the annotation allows it beforehand", func(ctx SpecContext) {
		issued(ctx, "last")
		Eventually(ctx, func() int { return len(all(ctx)) }).Should(Equal(1), "the admin that was kept before is deleted now")
		user := named("last")
		Eventually(ctx, func(g Gomega) {
			g.Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(user), user)).To(Succeed())
			g.Expect(meta.IsStatusConditionTrue(user.Status.Conditions, v1alpha1.ConditionLastAdmin)).To(BeTrue())
		}).Should(Succeed())
		for _, args := range [][]string{
			{"delete", "adminuser", "last"},
			{"patch", "adminuser", "last", "--type=merge", `-p={"spec":{"role":"user"}}`},
			{"patch", "adminuser", "last", "--type=merge", `-p={"spec":{"enabled":false}}`},
		} {
			out, err := s.Kubectl(ctx, append(args, "-n", stack.Namespace)...)
			Expect(err).To(MatchError(ContainSubstring("last")), out)
		}
		_, err := s.Kubectl(ctx, "annotate", "adminuser", "last", "-n", stack.Namespace,
			v1alpha1.AnnotationAllowLastAdminRemoval+"=true")
		Expect(err).NotTo(HaveOccurred())
		_, err = s.Kubectl(ctx, "delete", "adminuser", "last", "-n", stack.Namespace, "--timeout=30s")
		Expect(err).NotTo(HaveOccurred())
		Expect(all(ctx)).To(BeEmpty())
	})
})
