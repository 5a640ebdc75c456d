package objects_test

import (
	"context"
	"errors"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

// manifest returns a user as a person applies it.
func manifest(ctx context.Context, name string, delivery v1alpha1.Delivery) *v1alpha1.AdminUser {
	GinkgoHelper()
	user := newUser(name)
	user.Namespace, user.Name, user.Spec.Delivery = stack.Namespace, name, delivery
	Expect(plane.Client.Create(ctx, user)).To(Succeed())
	removeLater(user)
	return user
}

// touch makes a write of another client to the object.
func touch(ctx context.Context, o client.Object) {
	GinkgoHelper()
	other := o.DeepCopyObject().(client.Object)
	Expect(plane.Client.Patch(ctx, other, client.RawPatch(types.MergePatchType,
		[]byte(`{"metadata":{"labels":{"a":"b"}}}`)))).To(Succeed())
}

var _ = Describe("A new key", func() {
	It("replaces the current key at once", func(ctx SpecContext) {
		user, old := made(ctx, "rita")
		k := generate()
		Expect(server.Record(ctx, user, k, 0)).To(Succeed())
		Expect(accepted(k)).To(BeTrue())
		Expect(accepted(old)).To(BeFalse())
		Expect(user.Status.Keys).To(HaveLen(1))
	})

	It("leaves earlier keys their overlap", func(ctx SpecContext) {
		user, old := made(ctx, "rolf")
		next, last := generate(), generate()
		Expect(server.Record(ctx, user, next, time.Hour)).To(Succeed())
		end := user.Status.Keys[1].ExpiresAt
		Expect(end.Time).To(BeTemporally("~", time.Now().Add(time.Hour), 5*time.Second))
		Expect(server.Record(ctx, user, last, 2*time.Hour)).To(Succeed())
		Expect(user.Status.Keys).To(HaveLen(3))
		Expect(user.Status.Keys[2].ExpiresAt).To(Equal(end), "an overlap that was given is made no longer")
		for _, k := range []*objects.Key{old, next, last} {
			Expect(accepted(k)).To(BeTrue())
		}
		Expect(server.Record(ctx, user, generate(), 0)).To(Succeed())
		for _, k := range []*objects.Key{old, next, last} {
			Expect(accepted(k)).To(BeFalse())
		}
	})

	It("is recorded despite other writes, which stay", func(ctx SpecContext) {
		user, _ := made(ctx, "ruth")
		touch(ctx, user)
		k := generate()
		Expect(server.Record(ctx, user, k, 0)).To(Succeed())
		Expect(user.Labels).To(HaveKeyWithValue("a", "b"))
		Expect(accepted(k)).To(BeTrue())
	})

	It("is the only accepted one of many that are recorded at once", func(ctx SpecContext) {
		user, _ := made(ctx, "rosa")
		keys := make([]*objects.Key, 8)
		for i := range keys {
			keys[i] = generate()
		}
		results := atOnce(len(keys), func(i int) error { return server.Record(ctx, user.DeepCopy(), keys[i], 0) })
		Expect(count(results, nil)).To(Equal(len(keys)))
		Eventually(func() (n int) {
			for _, k := range keys {
				if accepted(k) {
					n++
				}
			}
			return n
		}).Should(Equal(1))
	})

	It("succeeds only the key that it may succeed, also of many that are recorded at once", func(ctx SpecContext) {
		user, old := made(ctx, "sven")
		keys := make([]*objects.Key, 4)
		for i := range keys {
			keys[i] = generate()
			keys[i].Succeeds = old.Digest.KeyID()
		}
		results := atOnce(len(keys), func(i int) error { return server.Record(ctx, user.DeepCopy(), keys[i], 0) })
		Expect(count(results, nil)).To(Equal(1))
		Expect(count(results, objects.ErrSucceeded)).To(Equal(len(keys) - 1))
		for i, k := range keys {
			Expect(accepted(k)).To(Equal(results[i] == nil))
		}
	})

	It("is not recorded on a later object of the same name", func(ctx SpecContext) {
		user, _ := made(ctx, "rudi")
		Expect(server.Delete(ctx, user)).To(Succeed())
		k := generate()
		Expect(server.Record(ctx, user.DeepCopy(), k, 0)).To(MatchError(objects.ErrGone))
		again, _ := made(ctx, "rudi")
		Expect(server.Record(ctx, user.DeepCopy(), k, 0)).To(MatchError(objects.ErrGone))
		Expect(server.Delete(ctx, user.DeepCopy())).To(MatchError(objects.ErrGone))
		Expect(server.Change(ctx, user.DeepCopy(), func(objects.Object) {})).To(MatchError(objects.ErrGone))
		Expect(accepted(k)).To(BeFalse())
		Expect(plane.Client.Get(ctx, client.ObjectKeyFromObject(again), again)).To(Succeed())
	})

	It("is recorded for a user of a manifest only if delivery is Response", func(ctx SpecContext) {
		k := generate()
		Expect(server.Record(ctx, manifest(ctx, "by-hand", v1alpha1.DeliveryResponse), k, 0)).To(Succeed())
		Expect(accepted(k)).To(BeTrue())
		Expect(server.Record(ctx, manifest(ctx, "by-secret", v1alpha1.DeliverySecret), generate(),
			0)).To(refuse("the operator does"))
	})

	It("is the only key after all were dropped", func(ctx SpecContext) {
		user, old := made(ctx, "remo")
		Expect(server.DropKeys(ctx, user)).To(Succeed())
		Expect(user.Status.Keys).To(BeEmpty())
		Expect(accepted(old)).To(BeFalse())
		Expect(server.DropKeys(ctx, user)).To(Succeed())
	})
})

// refuse matches a refusal by an admission policy.
func refuse(why string) gomegatypes.GomegaMatcher {
	return WithTransform(func(err error) string {
		var refused *objects.Refused
		if !errors.As(err, &refused) {
			return ""
		}
		return refused.Message
	}, ContainSubstring(why))
}

var _ = Describe("A change", func() {
	It("is in force when it returns, in both directions", func(ctx SpecContext) {
		user, k := made(ctx, "vera")
		for _, state := range []v1alpha1.State{
			v1alpha1.StateDisabled, v1alpha1.StateActive, v1alpha1.StateDisabled, v1alpha1.StateActive,
		} {
			Expect(server.Change(ctx, user, func(o objects.Object) {
				o.(*v1alpha1.AdminUser).Spec.State = state
			})).To(Succeed())
			Expect(accepted(k)).To(Equal(state == v1alpha1.StateActive))
		}
		Expect(server.Change(ctx, user, func(o objects.Object) {
			o.(*v1alpha1.AdminUser).Spec.Role = v1alpha1.RoleUser
		})).To(Succeed())
		Expect(verifier.Verify(k.Plaintext, time.Now()).Reason).To(Equal(verify.Demoted))
	})

	It("of rights is in force when it returns", func(ctx SpecContext) {
		o, k := newKey("ci", "certs.read"), generate()
		Expect(server.Create(ctx, o, k)).To(Succeed())
		removeLater(o)
		Expect(server.Change(ctx, o, func(o objects.Object) {
			o.(*v1alpha1.APIKey).Spec.Scopes = []v1alpha1.Scope{"certs.write"}
		})).To(Succeed())
		Expect(verifier.Verify(k.Plaintext, time.Now()).Rights().Scopes).To(ConsistOf("certs.write"))
		Expect(server.Change(ctx, o, func(o objects.Object) {
			o.(*v1alpha1.APIKey).Spec.State = v1alpha1.StateRevoked
		})).To(Succeed())
		Expect(accepted(k)).To(BeFalse())
	})

	It("applies to the present state of the object", func(ctx SpecContext) {
		user, _ := made(ctx, "vito")
		touch(ctx, user)
		Expect(server.Change(ctx, user, func(o objects.Object) {
			o.(*v1alpha1.AdminUser).Spec.State = v1alpha1.StateDisabled
		})).To(Succeed())
		Expect(user.Labels).To(HaveKeyWithValue("a", "b"))
	})

	It("of an object from a manifest is refused", func(ctx SpecContext) {
		user := manifest(ctx, "valid", v1alpha1.DeliverySecret)
		Expect(server.Change(ctx, user, func(o objects.Object) {
			o.(*v1alpha1.AdminUser).Spec.State = v1alpha1.StateDisabled
		})).To(refuse("may only change the spec"))
		Expect(server.Delete(ctx, user)).To(refuse("may only delete objects"))
		Expect(server.RequestRotation(ctx, user)).To(Succeed())
		Expect(user.Annotations[v1alpha1.AnnotationRotate]).NotTo(BeEmpty())
	})

	It("that removes the last admin returns ErrLastAdmin", func(ctx SpecContext) {
		user, k := made(ctx, "last")
		mark := `{"status":{"conditions":[{"type":"LastAdmin","status":"True","reason":"OnlyActiveAdmin","message":"","lastTransitionTime":"2030-01-01T00:00:00Z"}]}}`
		Expect(plane.Client.Status().Patch(ctx, user.DeepCopy(), client.RawPatch(types.MergePatchType,
			[]byte(mark)))).To(Succeed())
		Expect(server.Delete(ctx, user)).To(MatchError(objects.ErrLastAdmin))
		Expect(server.Change(ctx, user, func(o objects.Object) {
			o.(*v1alpha1.AdminUser).Spec.Role = v1alpha1.RoleUser
		})).To(MatchError(objects.ErrLastAdmin))
		Expect(accepted(k)).To(BeTrue())
		Expect(plane.Client.Status().Patch(ctx, user.DeepCopy(), client.RawPatch(types.MergePatchType,
			[]byte(`{"status":{"conditions":null}}`)))).To(Succeed())
	})
})

var _ = Describe("A deletion", func() {
	It("is in force when it returns, even if a finalizer holds the object", func(ctx SpecContext) {
		user, k := made(ctx, "zora")
		held := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":["example.com/wait"]}}`))
		Expect(plane.Client.Patch(ctx, user.DeepCopy(), held)).To(Succeed())
		Expect(server.Delete(ctx, user)).To(Succeed())
		Expect(accepted(k)).To(BeFalse())
	})
})

var _ = Describe("Reading", func() {
	It("finds the user of exactly a name", func(ctx SpecContext) {
		user, _ := made(ctx, "Nina")
		found, err := server.User(ctx, "Nina")
		Expect(err).NotTo(HaveOccurred())
		Expect(found.UID).To(Equal(user.UID))
		for _, name := range []string{"nina", "unknown"} {
			Expect(server.User(ctx, name)).To(BeNil())
		}
		elsewhere := newUser("Otto")
		elsewhere.Namespace, elsewhere.Name = stack.Namespace, "not-otto"
		Expect(plane.Client.Create(ctx, elsewhere)).To(Succeed())
		removeLater(elsewhere)
		found, err = server.User(ctx, "Otto")
		Expect(err).NotTo(HaveOccurred())
		Expect(found.UID).To(Equal(elsewhere.UID))
	})

	It("lists the keys of a subject or of a kind of subjects", func(ctx SpecContext) {
		for _, subject := range []string{"list-a", "list-a", "list-b"} {
			o := newKey(subject)
			Expect(server.Create(ctx, o, generate())).To(Succeed())
			removeLater(o)
		}
		keys, err := server.Keys(ctx, v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "list-a"})
		Expect(err).NotTo(HaveOccurred())
		Expect(keys).To(HaveLen(2))
		keys, err = server.Keys(ctx, v1alpha1.Subject{Kind: v1alpha1.SubjectAccount})
		Expect(err).NotTo(HaveOccurred())
		Expect(keys).To(HaveLen(3))
		Expect(server.Keys(ctx, v1alpha1.Subject{Kind: v1alpha1.SubjectUser})).To(BeEmpty())
		one := keys[0]
		id := objects.ID{Kind: "APIKey", Namespace: one.Namespace, Name: one.Name}
		Expect(server.Key(ctx, id)).To(HaveField("UID", one.UID))
		id.Name = "none"
		Expect(server.Key(ctx, id)).To(BeNil())
		Expect(server.Roles(ctx)).To(BeEmpty())
	})

	It("lists the keys of a user in every spelling", func(ctx SpecContext) {
		for _, name := range []string{"Paula", "PAULA", "Paul"} {
			o := newKey(name)
			o.Spec.Subject.Kind = v1alpha1.SubjectUser
			Expect(server.Create(ctx, o, generate())).To(Succeed())
			removeLater(o)
		}
		for _, name := range []string{"paula", "Paula", "PAULA"} {
			keys, err := server.Keys(ctx, v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: name})
			Expect(err).NotTo(HaveOccurred())
			Expect(keys).To(HaveLen(2), name)
		}
	})

	It("reports a key that is taken", func(ctx SpecContext) {
		brought := func(plaintext string) *objects.Key {
			k, err := server.Brought(plaintext)
			Expect(err).NotTo(HaveOccurred())
			return k
		}
		user, _ := made(ctx, "kuno")
		Expect(server.Record(ctx, user, brought("the-key-of-kuno-himself"), 0)).To(Succeed())
		Expect(user.Status.Keys[0].Prefix).To(Equal("the-"))
		Expect(server.Taken(ctx, brought("the-key-of-kuno-himself"))).To(BeTrue())
		Expect(server.Taken(ctx, brought("the-key-of-no-object-at-all"))).To(BeFalse())

		bootstrap := ring.Digest("the-key-to-begin-with")
		index.SetBootstrap(&bootstrap)
		DeferCleanup(func() { index.SetBootstrap(nil) })
		Expect(server.Taken(ctx, brought("the-key-to-begin-with"))).To(BeTrue())
	})

	It("reports a key under an old pepper that the index does not have", func(ctx SpecContext) {
		user, _ := made(ctx, "kira")
		k, err := server.Brought("the-key-of-kira-herself")
		Expect(err).NotTo(HaveOccurred())
		Expect(server.Record(ctx, user, k, 0)).To(Succeed())
		blind := options
		later := kit.Keyring("q", "p")
		blind.Ring = func() *pepper.Keyring { return later }
		blind.Verifier = verify.NewVerifier(&verify.Index{}, format, later)
		other, err := objects.New(blind)
		Expect(err).NotTo(HaveOccurred())
		again, err := other.Brought("the-key-of-kira-herself")
		Expect(err).NotTo(HaveOccurred())
		Expect(again.Digest).NotTo(Equal(k.Digest))
		Expect(other.Taken(ctx, again)).To(BeTrue())
	})

	It("reports that the API server is unreachable", func(ctx SpecContext) {
		nowhere := options
		nowhere.REST = &rest.Config{Host: "http://127.0.0.1:1"}
		other, err := objects.New(nowhere)
		Expect(err).NotTo(HaveOccurred())
		_, err = other.Users(ctx)
		Expect(err).To(MatchError(objects.ErrUnavailable))
		Expect(err).To(MatchError(ContainSubstring("http://127.0.0.1:1")))
		_, err = other.User(ctx, "x1")
		Expect(err).To(MatchError(objects.ErrUnavailable))
		Expect(other.Create(ctx, newUser("x1"), generate())).To(MatchError(objects.ErrUnavailable))
	})
})

var _ = Describe("Reporting", func() {
	It("records the last use on exactly this object", func(ctx SpecContext) {
		user, _ := made(ctx, "luis")
		id := verify.ID{Kind: "AdminUser", Namespace: user.Namespace, Name: user.Name}
		at := time.Date(2030, 1, 1, 12, 0, 0, 5, time.UTC)
		Expect(server.SetLastUsed(ctx, id, "another-uid", at)).To(Succeed())
		Expect(plane.Client.Get(ctx, client.ObjectKeyFromObject(user), user)).To(Succeed())
		Expect(user.Status.Usage.LastUsedAt).To(BeNil())
		Expect(server.SetLastUsed(ctx, id, string(user.UID), at)).To(Succeed())
		Expect(plane.Client.Get(ctx, client.ObjectKeyFromObject(user), user)).To(Succeed())
		Expect(user.Status.Usage.LastUsedAt.Time).To(BeTemporally("==", at.Truncate(time.Second)))
		Expect(user.Status.Keys).To(HaveLen(1))
		Expect(server.SetLastUsed(ctx, verify.ID{Kind: "(bootstrap)"}, "", at)).To(Succeed())
		id.Name = "unknown"
		Expect(server.SetLastUsed(ctx, id, "uid", at)).To(Succeed())
	})

	It("records an event on the object", func(ctx SpecContext) {
		user, _ := made(ctx, "evan")
		server.Event(user, v1alpha1.EventCreated, "Created by User/admin through the API")
		Eventually(func() []string { return eventsOn(ctx, user.Name) }).WithTimeout(10 * time.Second).
			Should(ConsistOf("Normal Created Created by User/admin through the API"))
	})

	It("records many equal events within a minute as one", func(ctx SpecContext) {
		user, _ := made(ctx, "rene")
		clock := time.Now()
		counting := options
		counting.Now = func() time.Time { return clock }
		other, err := objects.New(counting)
		Expect(err).NotTo(HaveOccurred())
		for range 100 {
			other.Event(user, v1alpha1.EventChanged, "Changed by User/admin through the API")
		}
		other.Event(user, v1alpha1.EventChanged, "Changed by User/bob through the API")
		run, stop := context.WithCancel(ctx)
		defer stop()
		clock = clock.Add(time.Minute)
		go other.Run(run)
		want := slices.Repeat([]string{"Normal Changed Changed by User/admin through the API"}, 10)
		Eventually(func() []string { return eventsOn(ctx, user.Name) }).WithTimeout(time.Minute).Should(ConsistOf(append(want,
			"Normal Changed Changed by User/bob through the API",
			"Normal Changed Changed by User/admin through the API (90 times)",
		)))
	})

	It("records a warning on the Pod of the server", func(ctx SpecContext) {
		inPod := options
		inPod.Instance, inPod.InstanceUID = "keywright-server-abc", "uid"
		other, err := objects.New(inPod)
		Expect(err).NotTo(HaveOccurred())
		run, stop := context.WithCancel(ctx)
		defer stop()
		go other.Run(run)
		server.WarnOnInstance(v1alpha1.EventLowDiskSpace, "Outside a Pod.")
		other.WarnOnInstance(v1alpha1.EventLowDiskSpace, "Almost full.")
		Eventually(func() []string { return eventsOn(ctx, inPod.Instance) }).WithTimeout(10 * time.Second).
			Should(ConsistOf("Warning LowDiskSpace Almost full."))
	})
})

// eventsOn returns type, reason and note of the events on an object.
func eventsOn(ctx context.Context, name string) (found []string) {
	GinkgoHelper()
	var list eventsv1.EventList
	Expect(plane.Client.List(ctx, &list, client.InNamespace(stack.Namespace))).To(Succeed())
	for _, e := range list.Items {
		if e.Regarding.Name == name {
			found = append(found, e.Type+" "+e.Reason+" "+e.Note)
		}
	}
	return found
}
