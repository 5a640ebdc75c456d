package users

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

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
		soon(ctx, func(g Gomega) {
			secret := &corev1.Secret{}
			g.Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: name + "-admin-key"}, secret)).
				To(Succeed())
			keys[name] = string(secret.Data["key"])
			g.Expect(statusOf(ctx, keys[name])).To(Equal(http.StatusOK))
			user := named(name)
			g.Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(user), user)).To(Succeed())
			g.Expect(meta.IsStatusConditionTrue(user.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
		}).Should(Succeed())
	}
	return keys
}

// statusOf returns the status of the server's reply to a key.
func statusOf(ctx context.Context, key string) int { return kit.AuthStatus(ctx, s.ServerURL, key) }

func admins(ctx context.Context) []v1alpha1.AdminUser {
	GinkgoHelper()
	var list v1alpha1.AdminUserList
	Expect(s.Client.List(ctx, &list, client.InNamespace(stack.Namespace))).To(Succeed())
	return list.Items
}

// anchored returns the number of AdminUsers with the finalizer.
func anchored(ctx context.Context) (number int) {
	GinkgoHelper()
	for _, u := range admins(ctx) {
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

// soon polls often: these specs race.
func soon(ctx context.Context, actual any) AsyncAssertion {
	return Eventually(ctx, actual).WithTimeout(30 * time.Second).WithPolling(10 * time.Millisecond)
}

// removeAll removes every AdminUser, the last admin included.
func removeAll(ctx SpecContext) {
	GinkgoHelper()
	allow := client.RawPatch(types.MergePatchType,
		[]byte(`{"metadata":{"annotations":{"`+v1alpha1.AnnotationAllowLastAdminRemoval+`":"true"}}}`))
	for _, u := range admins(ctx) {
		Expect(client.IgnoreNotFound(s.Client.Patch(ctx, &u, allow))).To(Succeed())
		Expect(client.IgnoreNotFound(s.Client.Delete(ctx, &u))).To(Succeed())
	}
	soon(ctx, func() []v1alpha1.AdminUser { return admins(ctx) }).Should(BeEmpty())
}

var _ = Describe("Admins deleted in the same instant", Serial, Ordered, func() {
	BeforeAll(removeAll)
	AfterAll(removeAll)

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
				soon(ctx, anchored).ShouldNot(BeZero())
				for _, u := range admins(ctx) {
					names = append(names, u.Name)
				}
				deleteAll(ctx, names)
				soon(ctx, func(g Gomega) {
					left := admins(ctx)
					g.Expect(left).To(HaveLen(1), "try %d", try)
					g.Expect(meta.IsStatusConditionTrue(left[0].Status.Conditions, v1alpha1.ConditionLastAdmin)).To(BeTrue())
					for name, key := range keys {
						want := http.StatusUnauthorized
						if name == left[0].Name {
							want = http.StatusOK
						}
						g.Expect(statusOf(ctx, key)).To(Equal(want), "%s, when %s is left", name, left[0].Name)
					}
				}).Should(Succeed())
			}
		}, SpecTimeout(5*time.Minute))
	}
})

var _ = Describe("The last admin of kubectl", Serial, Ordered, func() {
	BeforeAll(removeAll)

	It("cannot be deleted, demoted or disabled, unless the annotation allows it beforehand", func(ctx SpecContext) {
		issued(ctx, "last")
		soon(ctx, func() int { return len(admins(ctx)) }).Should(Equal(1), "the admin that was kept before is deleted now")
		user := named("last")
		soon(ctx, func(g Gomega) {
			g.Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(user), user)).To(Succeed())
			g.Expect(meta.IsStatusConditionTrue(user.Status.Conditions, v1alpha1.ConditionLastAdmin)).To(BeTrue())
		}).Should(Succeed())
		for _, args := range [][]string{
			{"delete", "adminuser", "last"},
			{"patch", "adminuser", "last", "--type=merge", `-p={"spec":{"role":"user"}}`},
			{"patch", "adminuser", "last", "--type=merge", `-p={"spec":{"state":"Disabled"}}`},
		} {
			out, err := s.Kubectl(ctx, append(args, "-n", stack.Namespace)...)
			Expect(err).To(MatchError(ContainSubstring("last")), out)
		}
		_, err := s.Kubectl(ctx, "annotate", "adminuser", "last", "-n", stack.Namespace,
			v1alpha1.AnnotationAllowLastAdminRemoval+"=true")
		Expect(err).NotTo(HaveOccurred())
		_, err = s.Kubectl(ctx, "delete", "adminuser", "last", "-n", stack.Namespace, "--timeout=30s")
		Expect(err).NotTo(HaveOccurred())
		Expect(admins(ctx)).To(BeEmpty())
	})
})
