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

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/operator/keysource"
	"keywright.dev/keywright/test/kit"
)

const (
	poll        = 15 * time.Second
	notASetting = "is not a setting; the settings are ACCOUNT, ADMIN_KEY, ADMIN_KEY_SECRET, ALLOWED_USERS, " +
		"ANONYMOUS_READS, AUDIT_MAX_ENTRIES, AUDIT_RETENTION, CREDENTIALS, DEFAULT_TTL, KEY_PREFIX, MAX_TTL, PRICES, " +
		"ROUTES, SECURE_COOKIES, STALE_AFTER, " +
		"TRUSTED_PROXIES, TRUST_PROXY_HEADERS, TRUST_USERNAMES, UNMATCHED, USAGE_MAX_RECORDS, USAGE_RETENTION, " +
		"USAGE_ROLLUP_RETENTION"
)

var _ = Describe("The configuration", func() {
	It("is empty without a ConfigMap", func(ctx SpecContext) {
		e := newEnv(ctx)
		Expect(e.reconcile(ctx)).To(BeZero())
		Expect(e.document(ctx)).To(Equal(e.accepting("")))
		Expect(e.events.Take()).To(BeEmpty())
	})

	It("may contain the bootstrap key, with a warning", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, "ADMIN_KEY", bootstrap)
		Expect(e.reconcile(ctx)).To(Equal(poll), "the pepper may change")
		Expect(e.document(ctx)).To(Equal(e.accepting(bootstrap)))
		Expect(e.events.Take()).To(ConsistOf(
			HavePrefix("Normal ConfigApplied"),
			And(HavePrefix("Warning PlaintextKey"), ContainSubstring("put it into a Secret and name that in ADMIN_KEY_SECRET"))))
	})

	It("may name a Secret with the bootstrap key, whose changes are followed", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.secret(ctx, map[string]string{"key": bootstrap + "\n"})
		e.configure(ctx, "ADMIN_KEY_SECRET", "boot/key")
		Expect(e.reconcile(ctx)).To(Equal(poll))
		Expect(e.document(ctx)).To(Equal(e.accepting(bootstrap)))
		Expect(e.events.Take()).To(ConsistOf(HavePrefix("Normal ConfigApplied")))

		e.secret(ctx, map[string]string{"key": another})
		Expect(e.reconcile(ctx)).To(Equal(poll))
		Expect(e.document(ctx)).To(Equal(e.accepting(another, bootstrap)))
	})

	It("is neither published nor reported again while nothing changes", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, "ADMIN_KEY", bootstrap)
		e.reconcile(ctx)
		before := e.runtime(ctx)
		e.events.Take()
		e.reconcile(ctx)
		Expect(e.runtime(ctx).ResourceVersion).To(Equal(before.ResourceVersion))
		Expect(e.events.Take()).To(BeEmpty())
	})

	It("removes the bootstrap key when it is removed", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, "ADMIN_KEY", bootstrap)
		e.reconcile(ctx)
		e.configure(ctx)
		Expect(e.reconcile(ctx)).To(BeZero(), "there is nothing to poll")
		Expect(e.document(ctx)).To(Equal(e.accepting("", bootstrap)))

		e.configure(ctx, "ADMIN_KEY", bootstrap)
		e.reconcile(ctx)
		Expect(e.document(ctx)).To(Equal(e.accepting(bootstrap)), "it is the present one again")
		e.remove(ctx, &corev1.ConfigMap{}, "keywright-config")
		e.reconcile(ctx)
		Expect(e.document(ctx)).To(Equal(e.accepting("", bootstrap)))
	})

	It("is published again if another client changes or deletes the document", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, "ADMIN_KEY", bootstrap)
		e.reconcile(ctx)
		e.put(ctx, "keywright-runtime", map[string]string{
			"runtime.json": e.accepting("a-key-of-my-own-making"), "theirs": "stays",
		})
		e.reconcile(ctx)
		Expect(e.document(ctx)).To(Equal(e.accepting(bootstrap)))
		Expect(e.runtime(ctx).Data).To(HaveKeyWithValue("theirs", "stays"))
		e.remove(ctx, &corev1.ConfigMap{}, "keywright-runtime")
		e.reconcile(ctx)
		Expect(e.document(ctx)).To(Equal(e.accepting(bootstrap)))
	})
})

var _ = Describe("A former bootstrap key", func() {
	isKnown := func(e *env, plaintext string) bool { return e.Formats.IsBootstrap(e.ring.Digest(plaintext).String()) }

	It("is recorded, and no object may have it, even while nothing can be compiled", func(ctx SpecContext) {
		e := newEnv(ctx)
		for _, plaintext := range []string{bootstrap, another} {
			e.configure(ctx, "ADMIN_KEY", plaintext)
			e.reconcile(ctx)
			Expect(isKnown(e, plaintext)).To(BeTrue())
		}
		Expect(e.document(ctx)).To(Equal(e.accepting(another, bootstrap)))
		for problem, cause := range map[string]func(){
			"none":            func() {},
			"the pepper":      func() { e.pepperErr = keysource.ErrPepperPending },
			"an invalid edit": func() { e.pepperErr = nil; e.configure(ctx, "ADMIN_KEY", "short") },
		} {
			e.restart()
			cause()
			e.reconcile(ctx)
			Expect(isKnown(e, bootstrap)).To(BeTrue(), problem)
			Expect(isKnown(e, another)).To(BeTrue(), problem)
			Expect(isKnown(e, "no-bootstrap-key-at-all")).To(BeFalse(), problem)
		}
	})

	It("is not what another client writes into the document", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, "ADMIN_KEY", bootstrap)
		e.reconcile(ctx)
		e.put(ctx, "keywright-runtime", map[string]string{"runtime.json": e.accepting(another)})
		e.reconcile(ctx)
		Expect(e.document(ctx)).To(Equal(e.accepting(bootstrap)))
	})
})

var _ = DescribeTable("An invalid edit changes nothing and is reported once:",
	func(ctx SpecContext, secret map[string]string, pairs []string, requeueAfter time.Duration, faults string) {
		e := newEnv(ctx)
		e.configure(ctx, "ADMIN_KEY", bootstrap)
		e.reconcile(ctx)
		e.events.Take()
		if secret != nil {
			e.secret(ctx, secret)
		}

		e.configure(ctx, pairs...)
		Expect(e.reconcile(ctx)).To(Equal(requeueAfter))
		Expect(e.document(ctx)).To(Equal(e.accepting(bootstrap)))
		warning := Equal("Warning ConfigInvalid " + faults + ". The last good configuration stays in force.")
		Expect(e.events.Take()).To(ConsistOf(warning))
		e.reconcile(ctx)
		Expect(e.events.Take()).To(BeEmpty(), "reported once")

		e.configure(ctx, "ADMIN_KEY", bootstrap)
		e.reconcile(ctx)
		Expect(e.events.Take()).To(ContainElement(HavePrefix("Normal ConfigApplied")), "the recovery is reported too")
		e.reconcile(ctx)
		Expect(e.events.Take()).To(BeEmpty(), "once")
		e.configure(ctx, pairs...)
		e.reconcile(ctx)
		Expect(e.events.Take()).To(ConsistOf(warning), "it is reported again")
	},
	Entry("an unknown setting", nil, []string{"ADMIN_KYE", another}, time.Duration(0),
		"ADMIN_KYE: "+notASetting),
	Entry("a short key", nil, []string{"ADMIN_KEY", "short"}, time.Duration(0),
		"ADMIN_KEY: must be at least 16 characters long"),
	Entry("a key and a Secret", nil, []string{"ADMIN_KEY", another, "ADMIN_KEY_SECRET", "boot/key"}, time.Duration(0),
		"ADMIN_KEY: can't be set together with ADMIN_KEY_SECRET"),
	Entry("a key in place of its Secret", nil, []string{"ADMIN_KEY_SECRET", another}, time.Duration(0),
		"ADMIN_KEY_SECRET: is not of the form <name of a Secret>/<key in it>"),
	Entry("two faults", nil, []string{"ADMIN_KYE", "x", "ADMIN_KEY", "short"}, time.Duration(0),
		"ADMIN_KEY: must be at least 16 characters long; ADMIN_KYE: "+notASetting),
	Entry("an unknown form of keys", nil, []string{"CREDENTIALS", "X-API-Key, X-Token"}, time.Duration(0),
		"CREDENTIALS: entry 2 (X-Token) is not one of Authorization: Bearer, Authorization: Basic, X-API-Key, "+
			"Authorization: Token, x-goog-api-key, api-key"),
	Entry("a public route that needs a caller", nil,
		[]string{"ROUTES", "- match: /a\n  anonymous: true\n  action: certs.read"}, time.Duration(0),
		"ROUTES: route 1 (/a): anonymous contradicts action: a caller without a credential is allowed no action"),
	Entry("a missing Secret", nil, []string{"ADMIN_KEY_SECRET", "boot/key"}, poll,
		"ADMIN_KEY_SECRET: Secret boot does not exist"),
	Entry("a Secret without the key", map[string]string{"other": another}, []string{"ADMIN_KEY_SECRET", "boot/key"}, poll,
		`ADMIN_KEY_SECRET: Secret boot has no key "key"`),
	Entry("a Secret with an empty key", map[string]string{"key": "\n"}, []string{"ADMIN_KEY_SECRET", "boot/key"}, poll,
		"ADMIN_KEY_SECRET: the key in boot/key is empty"),
	Entry("a Secret with a short key", map[string]string{"key": "short"}, []string{"ADMIN_KEY_SECRET", "boot/key"}, poll,
		"ADMIN_KEY_SECRET: the key in boot/key must be at least 16 characters long"),
	Entry("a Secret with a malformed generated key",
		map[string]string{"key": "ak_" + another}, []string{"ADMIN_KEY_SECRET", "boot/key"}, poll,
		"ADMIN_KEY_SECRET: the key in boot/key begins like a generated key but is not one: "+
			"a character is missing or mistyped"),
	Entry("the pepper as the key", nil, []string{"ADMIN_KEY_SECRET", "keywright-pepper/active"}, poll,
		"ADMIN_KEY_SECRET: Secret keywright-pepper holds the pepper: create a separate Secret for the bootstrap key"),
)

var _ = Describe("A Secret that Keywright wrote for a user", func() {
	It("cannot hold the bootstrap key, which would outlive the user", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.secret(ctx, map[string]string{"key": bootstrap})
		e.label(ctx, "keywright.dev/issued-for", "AdminUser")
		e.configure(ctx, "ADMIN_KEY_SECRET", "boot/key")
		Expect(e.reconcile(ctx)).To(Equal(poll))
		Expect(e.document(ctx)).To(BeEmpty())
		Expect(e.events.Take()).To(ConsistOf("Warning ConfigInvalid " +
			"ADMIN_KEY_SECRET: Secret boot holds the key of an AdminUser (label keywright.dev/issued-for), " +
			"and the bootstrap key would outlive that object: create a separate Secret. " +
			"The last good configuration stays in force."))
	})
})

var _ = Describe("Binary data", func() {
	It("is not a setting", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.create(ctx, &corev1.ConfigMap{
			Data:       map[string]string{"ADMIN_KEY": "short"},
			BinaryData: map[string][]byte{"ADMIN_KEY_SECRET": {0xff}},
		})
		Expect(e.reconcile(ctx)).To(BeZero())
		Expect(e.document(ctx)).To(BeEmpty())
		Expect(e.events.Take()).To(ConsistOf("Warning ConfigInvalid ADMIN_KEY: must be at least 16 characters long; " +
			"ADMIN_KEY_SECRET: is binaryData: a setting is text, in data. The last good configuration stays in force."))
	})
})

var _ = Describe("An edit without an effect", func() {
	It("is reported once", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.secret(ctx, map[string]string{"key": bootstrap})
		e.configure(ctx, "ADMIN_KEY_SECRET", "boot/key")
		e.reconcile(ctx)
		e.events.Take()
		e.configure(ctx, "ADMIN_KEY", bootstrap)
		e.reconcile(ctx)
		Expect(e.events.Take()).To(ConsistOf(HavePrefix("Normal ConfigApplied"), HavePrefix("Warning PlaintextKey")))
		e.reconcile(ctx)
		Expect(e.events.Take()).To(BeEmpty(), "once")
	})

	It("is reported if it is the first", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.reconcile(ctx)
		e.configure(ctx)
		e.reconcile(ctx)
		Expect(e.events.Take()).To(ConsistOf(HavePrefix("Normal ConfigApplied")))
	})

	It("is not a restart of the operator", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, "ADMIN_KEY", bootstrap)
		e.reconcile(ctx)
		e.events.Take()
		e.restart()
		e.reconcile(ctx)
		e.reconcile(ctx)
		Expect(e.events.Take()).To(BeEmpty())
	})
})

var _ = Describe("A fault outside the configuration", func() {
	It("ends with the next reconcile after its repair", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, "ADMIN_KEY_SECRET", "boot/key")
		e.reconcile(ctx)
		e.events.Take()
		e.secret(ctx, map[string]string{"key": bootstrap})
		e.reconcile(ctx)
		Expect(e.document(ctx)).To(Equal(e.accepting(bootstrap)))
		Expect(e.events.Take()).To(ConsistOf(HavePrefix("Normal ConfigApplied")))
	})

	It("is reported again when it changes", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, "ADMIN_KEY_SECRET", "boot/key")
		e.reconcile(ctx)
		e.secret(ctx, map[string]string{"key": "short"})
		e.reconcile(ctx)
		Expect(e.events.Take()).To(HaveExactElements(ContainSubstring("does not exist"), ContainSubstring("at least 16")))
	})
})

var _ = Describe("The pepper", func() {
	It("is waited for only if there is a key to digest", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.ring, e.pepperErr = nil, keysource.ErrPepperPending
		Expect(e.reconcile(ctx)).To(BeZero())
		Expect(e.document(ctx)).To(Equal(`{}`))

		e.configure(ctx, "ADMIN_KEY", bootstrap)
		Expect(e.reconcile(ctx)).To(Equal(time.Second))
		Expect(e.document(ctx)).To(Equal(`{}`))
		e.ring, e.pepperErr = kit.Keyring("p"), nil
		e.reconcile(ctx)
		Expect(e.document(ctx)).To(Equal(e.accepting(bootstrap)))
	})

	It("that is lost changes nothing, and is reported by its own controller", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, "ADMIN_KEY", bootstrap)
		e.reconcile(ctx)
		e.events.Take()
		good := e.document(ctx)
		e.ring, e.pepperErr = nil, errors.New("Secret keywright-pepper is lost")
		Expect(e.reconcile(ctx)).To(Equal(poll))
		Expect(e.document(ctx)).To(Equal(good))
		Expect(e.events.Take()).To(BeEmpty())
	})

	It("that is lost delays an edit, which is reported once, and again when it is in force", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, "ADMIN_KEY", bootstrap)
		e.reconcile(ctx)
		e.events.Take()
		good, ring := e.document(ctx), e.ring
		e.ring, e.pepperErr = nil, errors.New("Secret keywright-pepper is lost")
		e.configure(ctx, "ADMIN_KEY", another)
		Expect(e.reconcile(ctx)).To(Equal(poll))
		Expect(e.document(ctx)).To(Equal(good))
		Expect(e.events.Take()).To(ConsistOf("Warning ConfigWaits " +
			"The configuration waits for the pepper: the bootstrap key cannot be digested: " +
			"Secret keywright-pepper is lost. The last good configuration stays in force."))
		e.reconcile(ctx)
		Expect(e.events.Take()).To(BeEmpty(), "once")

		e.ring, e.pepperErr = ring, nil
		e.reconcile(ctx)
		Expect(e.document(ctx)).To(Equal(e.accepting(another, bootstrap)))
		Expect(e.events.Take()).To(ConsistOf(HavePrefix("Normal ConfigApplied"), HavePrefix("Warning PlaintextKey")))
	})

	It("that changes is followed", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, "ADMIN_KEY", bootstrap)
		e.reconcile(ctx)
		old := e.document(ctx)
		e.ring = kit.Keyring("q")
		e.reconcile(ctx)
		now, err := config.ParseRuntime(e.document(ctx))
		Expect(err).NotTo(HaveOccurred())
		before, err := config.ParseRuntime(old)
		Expect(err).NotTo(HaveOccurred())
		Expect(now.BootstrapDigest).To(Equal(e.ring.Digest(bootstrap).String()))
		Expect(now.FormerBootstrapDigests).To(HaveExactElements(before.BootstrapDigest))
	})
})

var _ = Describe("During an outage of the API server", func() {
	It("a failed publication is not reported", func(ctx SpecContext) {
		e := newEnv(ctx)
		away := errors.New("the API server is away")
		e.configure(ctx, "ADMIN_KEY", bootstrap)
		e.Client = interceptor.NewClient(plane.Client, interceptor.Funcs{
			Apply: func(context.Context, client.WithWatch, runtime.ApplyConfiguration, ...client.ApplyOption) error {
				return away
			},
		})
		_, err := e.Reconcile(ctx, reconcile.Request{})
		Expect(err).To(MatchError(away))
		Expect(e.events.Take()).To(BeEmpty())

		e.Client = plane.Client
		e.reconcile(ctx)
		Expect(e.events.Take()).To(HaveLen(2))
	})

	for _, name := range []string{"keywright-config", "keywright-runtime", "boot"} {
		It("no object counts as missing: "+name, func(ctx SpecContext) {
			e := newEnv(ctx)
			away := errors.New("the API server is away")
			e.secret(ctx, map[string]string{"key": bootstrap})
			e.configure(ctx, "ADMIN_KEY_SECRET", "boot/key")
			e.reconcile(ctx)
			e.events.Take()
			e.Live = interceptor.NewClient(plane.Client, interceptor.Funcs{
				Get: func(
					ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption,
				) error {
					if key.Name == name {
						return away
					}
					return c.Get(ctx, key, o, opts...)
				},
			})
			_, err := e.Reconcile(ctx, reconcile.Request{})
			Expect(err).To(MatchError(away))
			Expect(e.document(ctx)).To(Equal(e.accepting(bootstrap)))
			Expect(e.events.Take()).To(BeEmpty())
		})
	}
})
