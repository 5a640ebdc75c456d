package objects_test

import (
	"context"
	"errors"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/test/stack"
)

// memory remembers revoked keys, or fails.
type memory struct {
	mu   sync.Mutex
	keys []pepper.Digest
	fail error
}

func (m *memory) Revoke(_ context.Context, keys []pepper.Digest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail == nil {
		m.keys = append(m.keys, keys...)
	}
	return m.fail
}

// remembering returns a store whose events are written, and its memory.
func remembering() (*objects.Store, *memory) {
	GinkgoHelper()
	m := &memory{}
	with := options
	with.Revocations = m
	s, err := objects.New(with)
	Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	DeferCleanup(func() { cancel(); <-done })
	return s, m
}

var _ = Describe("A revocation", func() {
	It("by deletion is of exactly the keys that the object records then", func(ctx SpecContext) {
		s, m := remembering()
		user, k := made(ctx, "rhea")
		stale := user.DeepCopy()
		next := generate()
		Expect(server.Record(ctx, user, next, time.Hour)).To(Succeed())
		Expect(s.Delete(ctx, stale)).To(Succeed())
		Expect(m.keys).To(ContainElements(k.Digest, next.Digest))
		Expect(accepted(next)).To(BeFalse())
		Expect(s.Delete(ctx, stale)).To(MatchError(objects.ErrGone))
	})

	It("does not happen if the API server refuses the deletion", func(ctx SpecContext) {
		s, m := remembering()
		user := manifest(ctx, "rhys", v1alpha1.DeliveryResponse)
		k := generate()
		Expect(s.Record(ctx, user, k, 0)).To(Succeed())
		var refused *objects.Refused
		Expect(errors.As(s.Delete(ctx, user), &refused)).To(BeTrue())
		Expect(plane.Client.Get(ctx, client.ObjectKeyFromObject(user), user)).To(Succeed())
		Expect(user.DeletionTimestamp).To(BeNil())
		Expect(m.keys).To(BeEmpty())
		Expect(accepted(k)).To(BeTrue())
	})

	It("that can't be remembered leaves everything as it is", func(ctx SpecContext) {
		s, m := remembering()
		user, k := made(ctx, "roma")
		m.fail = errors.New("the database is down")
		for _, end := range []func() error{
			func() error { return s.Delete(ctx, user) },
			func() error { return s.DropKeys(ctx, user) },
		} {
			Expect(end()).To(And(MatchError(objects.ErrNotRevoked), MatchError(m.fail)))
			Expect(plane.Client.Get(ctx, client.ObjectKeyFromObject(user), user)).To(Succeed())
			Expect(user.Status.Keys).To(HaveLen(1))
			Expect(user.DeletionTimestamp).To(BeNil())
			Expect(accepted(k)).To(BeTrue())
		}
	})

	It("is of all keys that are dropped", func(ctx SpecContext) {
		s, m := remembering()
		user, k := made(ctx, "rosa")
		Expect(s.DropKeys(ctx, user)).To(Succeed())
		Expect(m.keys).To(HaveExactElements(k.Digest))
		Expect(s.DropKeys(ctx, user)).To(Succeed())
		Expect(m.keys).To(HaveLen(1))
	})

	It("and a replacement of the bootstrap key keep a key from being brought", func(ctx SpecContext) {
		s, _ := remembering()
		k, err := s.Brought("a-key-that-was-revoked")
		Expect(err).NotTo(HaveOccurred())
		Expect(s.Revoked(k)).To(BeFalse())
		index.Revoke([]pepper.Digest{k.Digest})
		Expect(s.Revoked(k)).To(BeTrue())

		former, err := s.Brought("a-former-bootstrap-key")
		Expect(err).NotTo(HaveOccurred())
		Expect(s.Taken(ctx, former)).To(BeFalse())
		index.SetBootstrap(nil, former.Digest)
		DeferCleanup(func() { index.SetBootstrap(nil) })
		Expect(s.Taken(ctx, former)).To(BeTrue())
	})

	It("that several servers report has one event", func(ctx SpecContext) {
		user, k := made(ctx, "ruth")
		id := verify.ID{Kind: "AdminUser", Namespace: user.Namespace, Name: user.Name}
		stores := make([]*objects.Store, 4)
		for i := range stores {
			stores[i], _ = remembering()
		}
		results := atOnce(len(stores), func(i int) error {
			const note = "It was revoked."
			return stores[i].ReportRefused(ctx, id, string(user.UID), k.Digest.KeyID(), v1alpha1.ReasonRevokedKey, note)
		})
		Expect(count(results, nil)).To(Equal(len(stores)))
		found := func() (notes []string) {
			var all eventsv1.EventList
			Expect(plane.Client.List(ctx, &all, client.InNamespace(stack.Namespace))).To(Succeed())
			for _, e := range all.Items {
				if e.Regarding.UID == user.UID && e.Reason == v1alpha1.ReasonRevokedKey && e.Type == corev1.EventTypeWarning {
					notes = append(notes, e.Note)
				}
			}
			return notes
		}
		Eventually(found).WithTimeout(30 * time.Second).Should(HaveExactElements("It was revoked."))
		Consistently(found).WithTimeout(200 * time.Millisecond).Should(HaveLen(1))
		Expect(plane.Client.Get(ctx, client.ObjectKeyFromObject(user), user)).To(Succeed())
		Expect(user.Status.Usage.Refused).To(HaveLen(1))
	})
})
