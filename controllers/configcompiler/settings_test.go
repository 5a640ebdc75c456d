package configcompiler_test

import (
	"context"
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/internal/operator/keysource"
)

const (
	poll        = 15 * time.Second
	notASetting = "is not a setting; the settings are ACCOUNT, ADMIN_KEY, ADMIN_KEY_SECRET, ALLOWED_USERS, ANONYMOUS_READS, KEY_PREFIX, " +
		"PRICES, ROUTES, SECURE_COOKIES, STALE_AFTER, TRUST_PROXY_HEADERS, TRUST_USERNAMES, UNMATCHED"
)

var _ = Describe("The configuration", func() {
	It("is nothing where nobody has written one", func(ctx SpecContext) {
		b := newBench(ctx)
		Expect(b.look(ctx)).To(BeZero())
		Expect(b.document(ctx)).To(Equal(b.accepting("")))
		Expect(b.events.Take()).To(BeEmpty())
	})

	It("may hold the bootstrap key itself, with a warning", func(ctx SpecContext) {
		b := newBench(ctx)
		b.configure(ctx, "ADMIN_KEY", bootstrap)
		Expect(b.look(ctx)).To(Equal(poll), "the pepper may change")
		Expect(b.document(ctx)).To(Equal(b.accepting(bootstrap)))
		Expect(b.events.Take()).To(ConsistOf(
			HavePrefix("Normal ConfigApplied"),
			And(HavePrefix("Warning PlaintextKey"), ContainSubstring("put it into a Secret and name that in ADMIN_KEY_SECRET"))))
	})

	It("may point to the bootstrap key, which is followed", func(ctx SpecContext) {
		b := newBench(ctx)
		b.secret(ctx, map[string]string{"key": bootstrap + "\n"})
		b.configure(ctx, "ADMIN_KEY_SECRET", "boot/key")
		Expect(b.look(ctx)).To(Equal(poll))
		Expect(b.document(ctx)).To(Equal(b.accepting(bootstrap)))
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Normal ConfigApplied")))

		b.secret(ctx, map[string]string{"key": another})
		Expect(b.look(ctx)).To(Equal(poll))
		Expect(b.document(ctx)).To(Equal(b.accepting(another)))
	})

	It("is neither written nor told again while nothing changes", func(ctx SpecContext) {
		b := newBench(ctx)
		b.configure(ctx, "ADMIN_KEY", bootstrap)
		b.look(ctx)
		before := b.runtime(ctx)
		b.events.Take()
		b.look(ctx)
		Expect(b.runtime(ctx).ResourceVersion).To(Equal(before.ResourceVersion))
		Expect(b.events.Take()).To(BeEmpty())
	})

	It("takes the bootstrap key away with itself", func(ctx SpecContext) {
		b := newBench(ctx)
		b.configure(ctx, "ADMIN_KEY", bootstrap)
		b.look(ctx)
		b.configure(ctx)
		Expect(b.look(ctx)).To(BeZero(), "nothing is left that could change")
		Expect(b.document(ctx)).To(Equal(b.accepting("")))

		b.configure(ctx, "ADMIN_KEY", bootstrap)
		b.look(ctx)
		b.remove(ctx, &corev1.ConfigMap{}, "keywright-config")
		b.look(ctx)
		Expect(b.document(ctx)).To(Equal(b.accepting("")))
	})

	It("is put back where somebody else changes or deletes what was compiled from it", func(ctx SpecContext) {
		b := newBench(ctx)
		b.configure(ctx, "ADMIN_KEY", bootstrap)
		b.look(ctx)
		b.put(ctx, "keywright-runtime", map[string]string{"runtime.json": b.accepting("a-key-of-my-own-making"), "theirs": "stays"})
		b.look(ctx)
		Expect(b.document(ctx)).To(Equal(b.accepting(bootstrap)))
		Expect(b.runtime(ctx).Data).To(HaveKeyWithValue("theirs", "stays"))
		b.remove(ctx, &corev1.ConfigMap{}, "keywright-runtime")
		b.look(ctx)
		Expect(b.document(ctx)).To(Equal(b.accepting(bootstrap)))
	})
})

var _ = DescribeTable("An edit that can't be used changes nothing and is told once:",
	func(ctx SpecContext, secret map[string]string, pairs []string, again time.Duration, says string) {
		b := newBench(ctx)
		b.configure(ctx, "ADMIN_KEY", bootstrap)
		b.look(ctx)
		b.events.Take()
		if secret != nil {
			b.secret(ctx, secret)
		}

		b.configure(ctx, pairs...)
		Expect(b.look(ctx)).To(Equal(again))
		Expect(b.document(ctx)).To(Equal(b.accepting(bootstrap)))
		told := Equal("Warning ConfigInvalid " + says + ". The last good configuration stays in force.")
		Expect(b.events.Take()).To(ConsistOf(told))
		b.look(ctx)
		Expect(b.events.Take()).To(BeEmpty(), "told once")

		b.configure(ctx, "ADMIN_KEY", bootstrap)
		b.look(ctx)
		Expect(b.events.Take()).To(ContainElement(HavePrefix("Normal ConfigApplied")), "that all is well again is told too")
		b.look(ctx)
		Expect(b.events.Take()).To(BeEmpty(), "once")
		b.configure(ctx, pairs...)
		b.look(ctx)
		Expect(b.events.Take()).To(ConsistOf(told), "the next time it is news again")
	},
	Entry("an unknown setting", nil, []string{"ADMIN_KYE", another}, time.Duration(0),
		"ADMIN_KYE: "+notASetting),
	Entry("a short key", nil, []string{"ADMIN_KEY", "short"}, time.Duration(0),
		"ADMIN_KEY: must be at least 16 characters long"),
	Entry("both ways to give a key", nil, []string{"ADMIN_KEY", another, "ADMIN_KEY_SECRET", "boot/key"}, time.Duration(0),
		"ADMIN_KEY: can't be set together with ADMIN_KEY_SECRET"),
	Entry("a key where its place belongs", nil, []string{"ADMIN_KEY_SECRET", another}, time.Duration(0),
		"ADMIN_KEY_SECRET: is not of the form <name of a Secret>/<key in it>"),
	Entry("two faults", nil, []string{"ADMIN_KYE", "x", "ADMIN_KEY", "short"}, time.Duration(0),
		"ADMIN_KEY: must be at least 16 characters long; ADMIN_KYE: "+notASetting),
	Entry("a Secret that is not there", nil, []string{"ADMIN_KEY_SECRET", "boot/key"}, poll,
		"ADMIN_KEY_SECRET: Secret boot does not exist"),
	Entry("a Secret without the key", map[string]string{"other": another}, []string{"ADMIN_KEY_SECRET", "boot/key"}, poll,
		`ADMIN_KEY_SECRET: Secret boot has no key "key"`),
	Entry("a Secret with an empty key", map[string]string{"key": "\n"}, []string{"ADMIN_KEY_SECRET", "boot/key"}, poll,
		"ADMIN_KEY_SECRET: the key in boot/key is empty"),
	Entry("a Secret with a short key", map[string]string{"key": "short"}, []string{"ADMIN_KEY_SECRET", "boot/key"}, poll,
		"ADMIN_KEY_SECRET: the key in boot/key must be at least 16 characters long"),
	Entry("a Secret with a key that the server would not look up", map[string]string{"key": "ak_" + another}, []string{"ADMIN_KEY_SECRET", "boot/key"}, poll,
		"ADMIN_KEY_SECRET: the key in boot/key begins like a generated key but is not one: a character is missing or mistyped"),
	Entry("the pepper for a key", nil, []string{"ADMIN_KEY_SECRET", "keywright-pepper/active"}, poll,
		"ADMIN_KEY_SECRET: Secret keywright-pepper holds the pepper: create a separate Secret for the bootstrap key"),
)

var _ = Describe("A Secret that Keywright wrote for a user", func() {
	It("is not the bootstrap key's, for the key would outlive the user", func(ctx SpecContext) {
		b := newBench(ctx)
		b.secret(ctx, map[string]string{"key": bootstrap})
		b.label(ctx, "keywright.dev/issued-for", "AdminUser")
		b.configure(ctx, "ADMIN_KEY_SECRET", "boot/key")
		Expect(b.look(ctx)).To(Equal(poll))
		Expect(b.document(ctx)).To(BeEmpty())
		Expect(b.events.Take()).To(ConsistOf("Warning ConfigInvalid ADMIN_KEY_SECRET: Secret boot holds the key of an AdminUser " +
			"(label keywright.dev/issued-for), and the bootstrap key would outlive that object: create a separate Secret. " +
			"The last good configuration stays in force."))
	})
})

var _ = Describe("Binary data", func() {
	It("is no setting", func(ctx SpecContext) {
		b := newBench(ctx)
		b.create(ctx, &corev1.ConfigMap{
			Data:       map[string]string{"ADMIN_KEY": "short"},
			BinaryData: map[string][]byte{"ADMIN_KEY_SECRET": {0xff}},
		})
		Expect(b.look(ctx)).To(BeZero())
		Expect(b.document(ctx)).To(BeEmpty())
		Expect(b.events.Take()).To(ConsistOf("Warning ConfigInvalid ADMIN_KEY: must be at least 16 characters long; " +
			"ADMIN_KEY_SECRET: is binaryData: a setting is text, in data. The last good configuration stays in force."))
	})
})

var _ = Describe("An edit that comes to the same", func() {
	It("is told, once", func(ctx SpecContext) {
		b := newBench(ctx)
		b.secret(ctx, map[string]string{"key": bootstrap})
		b.configure(ctx, "ADMIN_KEY_SECRET", "boot/key")
		b.look(ctx)
		b.events.Take()
		b.configure(ctx, "ADMIN_KEY", bootstrap)
		b.look(ctx)
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Normal ConfigApplied"), HavePrefix("Warning PlaintextKey")))
		b.look(ctx)
		Expect(b.events.Take()).To(BeEmpty(), "once")
	})

	It("is told where nothing was written before it either", func(ctx SpecContext) {
		b := newBench(ctx)
		b.look(ctx)
		b.configure(ctx)
		b.look(ctx)
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Normal ConfigApplied")))
	})

	It("is not what a start of the operator is", func(ctx SpecContext) {
		b := newBench(ctx)
		b.configure(ctx, "ADMIN_KEY", bootstrap)
		b.look(ctx)
		b.events.Take()
		b.restart()
		b.look(ctx)
		b.look(ctx)
		Expect(b.events.Take()).To(BeEmpty())
	})
})

var _ = Describe("A fault that goes by itself", func() {
	It("is over at the next look", func(ctx SpecContext) {
		b := newBench(ctx)
		b.configure(ctx, "ADMIN_KEY_SECRET", "boot/key")
		b.look(ctx)
		b.events.Take()
		b.secret(ctx, map[string]string{"key": bootstrap})
		b.look(ctx)
		Expect(b.document(ctx)).To(Equal(b.accepting(bootstrap)))
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Normal ConfigApplied")))
	})

	It("is told again when it becomes another", func(ctx SpecContext) {
		b := newBench(ctx)
		b.configure(ctx, "ADMIN_KEY_SECRET", "boot/key")
		b.look(ctx)
		b.secret(ctx, map[string]string{"key": "short"})
		b.look(ctx)
		Expect(b.events.Take()).To(HaveExactElements(ContainSubstring("does not exist"), ContainSubstring("at least 16")))
	})
})

var _ = Describe("The pepper", func() {
	It("is waited for, and only where there is a key to digest", func(ctx SpecContext) {
		b := newBench(ctx)
		b.ring, b.pepperErr = nil, keysource.ErrPepperPending
		Expect(b.look(ctx)).To(BeZero())
		Expect(b.document(ctx)).To(Equal(`{}`))

		b.configure(ctx, "ADMIN_KEY", bootstrap)
		Expect(b.look(ctx)).To(Equal(time.Second))
		Expect(b.document(ctx)).To(Equal(`{}`))
		b.ring, b.pepperErr = ringOf("p"), nil
		b.look(ctx)
		Expect(b.document(ctx)).To(Equal(b.accepting(bootstrap)))
	})

	It("that is lost changes nothing, and is not this controller's to tell", func(ctx SpecContext) {
		b := newBench(ctx)
		b.configure(ctx, "ADMIN_KEY", bootstrap)
		b.look(ctx)
		b.events.Take()
		good := b.document(ctx)
		b.ring, b.pepperErr = nil, errors.New("Secret keywright-pepper is lost")
		Expect(b.look(ctx)).To(Equal(poll))
		Expect(b.document(ctx)).To(Equal(good))
		Expect(b.events.Take()).To(BeEmpty())
	})

	It("that is lost holds up an edit, which is told once and once more when it is in force", func(ctx SpecContext) {
		b := newBench(ctx)
		b.configure(ctx, "ADMIN_KEY", bootstrap)
		b.look(ctx)
		b.events.Take()
		good, ring := b.document(ctx), b.ring
		b.ring, b.pepperErr = nil, errors.New("Secret keywright-pepper is lost")
		b.configure(ctx, "ADMIN_KEY", another)
		Expect(b.look(ctx)).To(Equal(poll))
		Expect(b.document(ctx)).To(Equal(good))
		Expect(b.events.Take()).To(ConsistOf("Warning ConfigWaits The configuration waits for the pepper: the bootstrap key cannot be digested: " +
			"Secret keywright-pepper is lost. The last good configuration stays in force."))
		b.look(ctx)
		Expect(b.events.Take()).To(BeEmpty(), "once")

		b.ring, b.pepperErr = ring, nil
		b.look(ctx)
		Expect(b.document(ctx)).To(Equal(b.accepting(another)))
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Normal ConfigApplied"), HavePrefix("Warning PlaintextKey")))
	})

	It("that changed is followed", func(ctx SpecContext) {
		b := newBench(ctx)
		b.configure(ctx, "ADMIN_KEY", bootstrap)
		b.look(ctx)
		old := b.document(ctx)
		b.ring = ringOf("q")
		b.look(ctx)
		Expect(b.document(ctx)).To(And(Equal(b.accepting(bootstrap)), Not(Equal(old))))
	})
})

var _ = Describe("While the API server is away", func() {
	It("nothing is told that was not written", func(ctx SpecContext) {
		b := newBench(ctx)
		away := errors.New("the API server is away")
		b.configure(ctx, "ADMIN_KEY", bootstrap)
		b.Client = interceptor.NewClient(plane.Client, interceptor.Funcs{
			Apply: func(context.Context, client.WithWatch, runtime.ApplyConfiguration, ...client.ApplyOption) error {
				return away
			},
		})
		_, err := b.Reconcile(ctx, reconcile.Request{})
		Expect(err).To(MatchError(away))
		Expect(b.events.Take()).To(BeEmpty())

		b.Client = plane.Client
		b.look(ctx)
		Expect(b.events.Take()).To(HaveLen(2))
	})

	for _, name := range []string{"keywright-config", "keywright-runtime", "boot"} {
		It("no setting is taken for missing: "+name, func(ctx SpecContext) {
			b := newBench(ctx)
			away := errors.New("the API server is away")
			b.secret(ctx, map[string]string{"key": bootstrap})
			b.configure(ctx, "ADMIN_KEY_SECRET", "boot/key")
			b.look(ctx)
			b.events.Take()
			b.Live = interceptor.NewClient(plane.Client, interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
					if key.Name == name {
						return away
					}
					return c.Get(ctx, key, o, opts...)
				},
			})
			_, err := b.Reconcile(ctx, reconcile.Request{})
			Expect(err).To(MatchError(away))
			Expect(b.document(ctx)).To(Equal(b.accepting(bootstrap)))
			Expect(b.events.Take()).To(BeEmpty())
		})
	}
})
