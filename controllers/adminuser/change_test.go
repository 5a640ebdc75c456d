package adminuser_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
)

var _ = Describe("Rotating", func() {
	It("replaces the key at once, once for each request", func(ctx SpecContext) {
		b := newBench(ctx)
		b.admin(ctx, "alice")
		old := b.plaintext(ctx, "alice-admin-key")
		b.events.Take()

		user := b.change(ctx, "alice", rotate("please"))
		fresh := b.plaintext(ctx, "alice-admin-key")
		Expect(fresh).NotTo(Equal(old))
		Expect(b.accepted(ctx, "alice", fresh)).To(BeTrue())
		Expect(b.accepted(ctx, "alice", old)).To(BeFalse())
		Expect(user.Status.LastRotateRequest).To(Equal("please"))
		Expect(b.events.Take()).To(ConsistOf(And(HavePrefix("Normal KeyRotated"), ContainSubstring("rotation requested"), ContainSubstring("refused from now on"))))

		b.change(ctx, "alice", rotate("please"))
		Expect(b.plaintext(ctx, "alice-admin-key")).To(Equal(fresh))
	})

	It("takes a request that is there from the beginning as met by the first key", func(ctx SpecContext) {
		b := newBench(ctx)
		user := b.admin(ctx, "alice", rotate("from git"))
		Expect(b.events.Take()).To(HaveLen(1))
		Expect(user.Status.LastRotateRequest).To(Equal("from git"))
	})

	It("takes a request of any length", func(ctx SpecContext) {
		b := newBench(ctx)
		user := b.admin(ctx, "alice", rotate(strings.Repeat("long ", 2000)))
		Expect(user.Status.LastRotateRequest).To(HavePrefix("sha256:"))
		b.reconcile(ctx, "alice")
		Expect(b.events.Take()).To(HaveLen(1))
	})

	It("keeps the old key until the end of its overlap, exactly", func(ctx SpecContext) {
		b := newBench(ctx)
		b.admin(ctx, "alice", withRotation("", "10m"))
		old := b.plaintext(ctx, "alice-admin-key")
		b.edit(ctx, "alice", rotate("1"))
		wait := b.reconcile(ctx, "alice")
		Expect(wait).To(Equal(10 * time.Minute))

		b.clock.SetTime(begin.Add(10*time.Minute - 1))
		Expect(b.accepted(ctx, "alice", old)).To(BeTrue())
		b.clock.SetTime(begin.Add(10 * time.Minute))
		Expect(b.accepted(ctx, "alice", old)).To(BeFalse(), "refused before the operator has looked")
		b.reconcile(ctx, "alice")
		Expect(b.get(ctx, "alice").Status.Keys).To(HaveLen(1))
		Expect(b.accepted(ctx, "alice", b.plaintext(ctx, "alice-admin-key"))).To(BeTrue())
	})

	It("follows a schedule and says when it is due", func(ctx SpecContext) {
		b := newBench(ctx)
		user := b.admin(ctx, "alice", withRotation("24h", "1h"))
		Expect(user.Status.NextRotation.Time).To(BeTemporally("==", begin.Add(24*time.Hour)))
		first := b.plaintext(ctx, "alice-admin-key")
		b.clock.SetTime(begin.Add(24*time.Hour - time.Second))
		Expect(b.reconcile(ctx, "alice")).To(Equal(time.Second))
		Expect(b.plaintext(ctx, "alice-admin-key")).To(Equal(first))
		b.clock.SetTime(begin.Add(24 * time.Hour))
		b.reconcile(ctx, "alice")
		Expect(b.plaintext(ctx, "alice-admin-key")).NotTo(Equal(first))
		Expect(b.get(ctx, "alice").Status.NextRotation.Time).To(BeTemporally("==", begin.Add(48*time.Hour)))
	})

	It("ends a leaked key early when the overlap is shortened", func(ctx SpecContext) {
		b := newBench(ctx)
		b.admin(ctx, "alice", withRotation("", "10h"))
		leaked := b.plaintext(ctx, "alice-admin-key")
		b.change(ctx, "alice", rotate("1"))
		Expect(b.accepted(ctx, "alice", leaked)).To(BeTrue())
		b.clock.SetTime(begin.Add(time.Minute))
		b.change(ctx, "alice", withRotation("", "0s"))
		Expect(b.accepted(ctx, "alice", leaked)).To(BeFalse())
		Expect(b.accepted(ctx, "alice", b.plaintext(ctx, "alice-admin-key"))).To(BeTrue())
	})

	It("never runs out of room for old keys", func(ctx SpecContext) {
		b := newBench(ctx)
		b.admin(ctx, "alice", withRotation("", "10h"))
		for i := range 20 {
			b.change(ctx, "alice", rotate(strconv.Itoa(i)))
		}
		Expect(b.get(ctx, "alice").Status.Keys).To(HaveLen(17))
		Expect(b.accepted(ctx, "alice", b.plaintext(ctx, "alice-admin-key"))).To(BeTrue())
	})

	It("is refused by an event, once, where only the API can do it", func(ctx SpecContext) {
		b := newBench(ctx)
		user := b.admin(ctx, "alice", func(u *v1alpha1.AdminUser) { u.Spec.Delivery = v1alpha1.DeliveryResponse })
		user.Status.Keys = []v1alpha1.KeyStatus{{ID: "x", Digest: b.ring.Digest("issued-by-the-api-" + b.namespace).String(), IssuedAt: metav1.NewTime(begin)}}
		Expect(b.client.Status().Update(ctx, user)).To(Succeed())
		b.reconcile(ctx, "alice")
		b.events.Take()
		user = b.change(ctx, "alice", rotate("please"))
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Warning RotationRefused")))
		Expect(reasonOf(user, "Ready")).To(Equal("True/Issued"))
		b.reconcile(ctx, "alice")
		Expect(b.events.Take()).To(BeEmpty())
		Expect(b.accepted(ctx, "alice", "issued-by-the-api-"+b.namespace)).To(BeTrue())
	})
})

var _ = Describe("Role and enabled", func() {
	It("revokes on demotion and issues anew on promotion", func(ctx SpecContext) {
		b := newBench(ctx)
		b.admin(ctx, "alice")
		old := b.plaintext(ctx, "alice-admin-key")
		b.events.Take()

		user := b.change(ctx, "alice", setRole(v1alpha1.RoleUser))
		Expect(user.Status.Keys).To(BeEmpty())
		Expect(user.Status.SecretName).To(BeEmpty())
		Expect(reasonOf(user, "Ready")).To(Equal("True/Demoted"))
		Expect(reasonOf(user, "Active")).To(Equal("False/Demoted"))
		Expect(plane.Client.Get(ctx, b.name("alice-admin-key"), &corev1.Secret{})).NotTo(Succeed())
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Normal KeyRevoked")))

		user = b.change(ctx, "alice", setRole(v1alpha1.RoleAdmin))
		Expect(reasonOf(user, "Active")).To(Equal("True/Accepted"))
		Expect(b.accepted(ctx, "alice", old)).To(BeFalse())
		Expect(b.accepted(ctx, "alice", b.plaintext(ctx, "alice-admin-key"))).To(BeTrue())
	})

	It("disables reversibly", func(ctx SpecContext) {
		b := newBench(ctx)
		b.admin(ctx, "alice")
		old := b.plaintext(ctx, "alice-admin-key")
		off, on := false, true
		user := b.change(ctx, "alice", func(u *v1alpha1.AdminUser) { u.Spec.Enabled = &off })
		Expect(reasonOf(user, "Ready")).To(Equal("True/Issued"))
		Expect(reasonOf(user, "Active")).To(Equal("False/Disabled"))
		user = b.change(ctx, "alice", func(u *v1alpha1.AdminUser) { u.Spec.Enabled = &on })
		Expect(reasonOf(user, "Active")).To(Equal("True/Accepted"))
		Expect(b.plaintext(ctx, "alice-admin-key")).To(Equal(old))
	})

	It("takes away what somebody wrote into the status of a demoted user", func(ctx SpecContext) {
		b := newBench(ctx)
		user := b.admin(ctx, "alice", setRole(v1alpha1.RoleUser))
		user.Status.Keys = []v1alpha1.KeyStatus{{ID: "x", Digest: b.ring.Digest("a-key-of-my-own-making-" + b.namespace).String(), IssuedAt: metav1.NewTime(begin)}}
		Expect(b.client.Status().Update(ctx, user)).To(Succeed())
		b.reconcile(ctx, "alice")
		Expect(b.get(ctx, "alice").Status.Keys).To(BeEmpty())
	})

	It("clears garbage out of the status and goes on", func(ctx SpecContext) {
		b := newBench(ctx)
		user := b.admin(ctx, "alice")
		kept := user.Status.Keys[0]
		user.Status.Keys = append(user.Status.Keys,
			v1alpha1.KeyStatus{ID: "evil", Digest: "no digest", IssuedAt: metav1.NewTime(begin)},
			v1alpha1.KeyStatus{ID: "eternal", Digest: b.ring.Digest("a-key-of-my-own-making-" + b.namespace).String(), IssuedAt: metav1.NewTime(begin)}, kept)
		Expect(b.client.Status().Update(ctx, user)).To(Succeed())
		b.reconcile(ctx, "alice")
		Expect(b.get(ctx, "alice").Status.Keys).To(HaveExactElements(HaveField("ID", kept.ID)))
	})

	It("says of a user that is being deleted what is so", func(ctx SpecContext) {
		b := newBench(ctx)
		user := b.admin(ctx, "alice", func(u *v1alpha1.AdminUser) { u.Finalizers = []string{"example.com/wait"} })
		Expect(b.client.Delete(ctx, user)).To(Succeed())
		b.reconcile(ctx, "alice")
		user = b.get(ctx, "alice")
		Expect(reasonOf(user, "Active")).To(Equal("False/Deleted"))
		Expect(reasonOf(user, "Ready")).To(Equal("True/Deleted"))
		Expect(user.Status.Keys).To(BeEmpty())
		Expect(plane.Client.Get(ctx, b.name("alice-admin-key"), &corev1.Secret{})).NotTo(Succeed())
		b.edit(ctx, "alice", func(u *v1alpha1.AdminUser) { u.Finalizers = nil })
	})
})

var _ = Describe("Usernames", func() {
	It("are unique without regard to case: who holds keys wins, and the other goes on by itself", func(ctx SpecContext) {
		b := newBench(ctx)
		first := b.admin(ctx, "alice")
		second := b.admin(ctx, "other", func(u *v1alpha1.AdminUser) { u.Spec.Username = "ALICE" })
		Expect(reasonOf(second, "Stalled")).To(Equal("True/UsernameTaken"))
		Expect(reasonOf(second, "Active")).To(Equal("False/UsernameTaken"))
		Expect(second.Status.Keys).To(BeEmpty())
		Expect(b.events.Take()).To(ContainElement(And(HavePrefix("Warning UsernameTaken"), ContainSubstring("AdminUser alice"))))
		Expect(reasonOf(first, "Active")).To(Equal("True/Accepted"))

		Expect(b.client.Delete(ctx, first)).To(Succeed())
		b.reconcile(ctx, "alice")
		b.reconcile(ctx, "other")
		Expect(reasonOf(b.get(ctx, "other"), "Active")).To(Equal("True/Accepted"))
		Expect(string(b.secret(ctx, "other-admin-key").Data["username"])).To(Equal("ALICE"))
	})

	It("are not held by an older object without keys against one that has them", func(ctx SpecContext) {
		b := newBench(ctx)
		older := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "a-older"}, Spec: v1alpha1.AdminUserSpec{Username: "bob"}}
		older.Spec.Delivery = v1alpha1.DeliveryResponse
		Expect(b.client.Create(ctx, older)).To(Succeed())
		newer := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "newer"}, Spec: v1alpha1.AdminUserSpec{Username: "Bob", Delivery: v1alpha1.DeliveryResponse}}
		Expect(b.client.Create(ctx, newer)).To(Succeed())
		newer.Status.Keys = []v1alpha1.KeyStatus{{ID: "x", Digest: b.ring.Digest("issued-by-the-api-" + b.namespace).String(), IssuedAt: metav1.NewTime(begin)}}
		Expect(b.client.Status().Update(ctx, newer)).To(Succeed())
		b.reconcile(ctx, "a-older")
		b.reconcile(ctx, "newer")
		Expect(reasonOf(b.get(ctx, "a-older"), "Stalled")).To(Equal("True/UsernameTaken"))
		Expect(reasonOf(b.get(ctx, "newer"), "Active")).To(Equal("True/Accepted"))
	})

	It("are given to one only, however many claim one at the same time", func(ctx SpecContext) {
		b := newBench(ctx)
		r := b.reconciler()
		const claimants = 6
		for i := range claimants {
			Expect(b.client.Create(ctx, &v1alpha1.AdminUser{
				ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: fmt.Sprintf("claimant-%d", i)},
				Spec:       v1alpha1.AdminUserSpec{Username: []string{"carol", "Carol", "CAROL"}[i%3]},
			})).To(Succeed())
		}
		var working sync.WaitGroup
		for i := range claimants {
			working.Go(func() {
				defer GinkgoRecover()
				_, err := r.Reconcile(ctx, reconcile.Request{NamespacedName: b.name(fmt.Sprintf("claimant-%d", i))})
				Expect(err).NotTo(HaveOccurred())
			})
		}
		working.Wait()
		issued := 0
		for _, told := range b.events.Take() {
			if strings.HasPrefix(told, "Normal KeyIssued") {
				issued++
			}
		}
		Expect(issued).To(Equal(1))
	})
})
