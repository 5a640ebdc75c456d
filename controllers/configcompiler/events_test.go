package configcompiler_test

import (
	"fmt"
	"strings"
	"unicode/utf8"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/test/kit"
)

// everything has every setting but those of the bootstrap key.
var everything = []string{
	"ALLOWED_USERS", "'Alice, Account/ci,,bob'",
	"SECURE_COOKIES", "no", "TRUST_PROXY_HEADERS", "on", "TRUSTED_PROXIES", "192.0.2.1, 10.0.0.0/8",
	"TRUST_USERNAMES", "1", "ANONYMOUS_READS", `"true"`, "CREDENTIALS", "api-key, AUTHORIZATION: basic",
	"ROUTES", "- match: GET /users/{user}/certificates\n  action: certs.read\n  owner: \"{user}\"\n- match: /admin/\n",
	"UNMATCHED", "deny", "ACCOUNT", "acme", "KEY_PREFIX", "kw_",
	"PRICES", "- {provider: openai, model: gpt-4o, input: 2.5, output: 10, cache_read: 1.25}", "STALE_AFTER", "5m",
}

// compiled is the document of everything.
const compiled = `{"keyPrefix":"kw_","allowedUsers":["account/ci","alice","bob"],"insecureCookies":true,` +
	`"trustProxyHeaders":true,"trustedProxies":["10.0.0.0/8","192.0.2.1/32"],"trustUsernames":true,"anonymousReads":true,` +
	`"credentials":["Authorization: Basic","api-key"],` +
	`"routes":[{"match":"GET /users/{user}/certificates","action":"certs.read","owner":"{user}"},` +
	`{"match":"/admin/"}],"denyUnmatched":true,"account":"acme","prices":[{"provider":"openai","model":"gpt-4o","input":2.5,"output":10,` +
	`"cacheRead":1.25}],"staleAfter":300000000000}`

// published returns the end of the event for a document.
func published(document string) string {
	return ". The configuration is valid and published to the servers as revision " + config.Revision(document) + "."
}

var _ = Describe("An edit", func() {
	It("of every setting is compiled, and the event lists each", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.reconcile(ctx)
		e.configure(ctx, everything...)
		Expect(e.reconcile(ctx)).To(BeZero())
		Expect(e.document(ctx)).To(Equal(compiled))
		Expect(e.events.Take()).To(ConsistOf("Normal ConfigApplied Changed: ALLOWED_USERS (3 names), " +
			"SECURE_COOKIES=false, TRUST_PROXY_HEADERS=true, TRUSTED_PROXIES (2 networks), TRUST_USERNAMES=true, " +
			"ANONYMOUS_READS=true, CREDENTIALS (Authorization: Basic, api-key), " +
			"ROUTES (2 routes), UNMATCHED=deny, ACCOUNT, KEY_PREFIX=kw_, PRICES (1 price), " +
			"STALE_AFTER=5m0s" + published(compiled)))
	})

	It("of one setting is reported with that setting", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, everything...)
		e.reconcile(ctx)
		e.events.Take()
		e.configure(ctx, append(everything, "ALLOWED_USERS", "alice", "ADMIN_KEY", bootstrap)...)
		e.reconcile(ctx)
		Expect(e.events.Take()).To(ConsistOf(
			"Normal ConfigApplied Changed: the bootstrap key, ALLOWED_USERS (1 name)"+published(e.document(ctx)),
			HavePrefix("Warning PlaintextKey")))
	})

	It("without an effect is reported as such", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, everything...)
		e.reconcile(ctx)
		e.events.Take()
		e.configure(ctx, append(everything, "ALLOWED_USERS", "BOB,alice,account/CI")...)
		e.reconcile(ctx)
		Expect(e.events.Take()).To(ConsistOf("Normal ConfigApplied Nothing changed" + published(compiled)))
	})

	It("made while the operator is down is reported at its start", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, everything...)
		e.reconcile(ctx)
		e.events.Take()
		e.configure(ctx, append(everything, "UNMATCHED", "allow")...)
		e.restart()
		e.reconcile(ctx)
		Expect(e.events.Take()).To(ConsistOf(HavePrefix("Normal ConfigApplied Changed: UNMATCHED=allow.")))
	})

	It("is reverted with the deletion of the ConfigMap", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, everything...)
		e.reconcile(ctx)
		e.events.Take()
		e.remove(ctx, &corev1.ConfigMap{}, "keywright-config")
		e.reconcile(ctx)
		Expect(e.document(ctx)).To(Equal("{}"))
		removed := e.events.Take()
		Expect(removed).To(ConsistOf(And(
			HavePrefix("Warning ConfigRemoved ConfigMap keywright-config was deleted, so every setting has its default, "+
				"the allow list and the routes too. Changed: ALLOWED_USERS (none), "),
			HaveSuffix("If a kustomize generator renamed it, set disableNameSuffixHash: true."))))
		Expect(len(removed[0])).To(BeNumerically("<", 1024))
		e.reconcile(ctx)
		e.restart()
		e.reconcile(ctx)
		Expect(e.events.Take()).To(BeEmpty(), "once")
	})

	It("is reverted with the deletion of the ConfigMap while the operator is down, which is reported at its start",
		func(ctx SpecContext) {
			e := newEnv(ctx)
			e.configure(ctx, "UNMATCHED", "perhaps")
			e.reconcile(ctx)
			e.configure(ctx, everything...)
			e.reconcile(ctx)
			e.remove(ctx, &corev1.ConfigMap{}, "keywright-config")
			e.events.Take()
			e.restart()
			e.reconcile(ctx)
			Expect(e.events.Take()).To(ConsistOf(HavePrefix("Warning ConfigRemoved")))
		})

	It("with many faults is reported in one event that names each setting and fits the limit", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, everything...)
		e.reconcile(ctx)
		e.events.Take()
		var faults []string
		for i := 0; i < len(everything); i += 2 {
			faults = append(faults, everything[i], strings.Repeat("ä ", 300))
		}
		faults = append(faults, "ADMIN_KEY", "short", "ADMIN_KEY_SECRET", another,
			"FIRST", "", "SECOND", "", "THIRD", "", "FOURTH", "", "FIFTH", "")
		e.configure(ctx, faults...)
		Expect(e.reconcile(ctx)).To(BeZero())
		Expect(e.document(ctx)).To(Equal(compiled))
		emitted := e.events.Take()
		Expect(emitted).To(HaveLen(1))
		Expect(emitted[0]).To(HavePrefix("Warning ConfigInvalid ACCOUNT: "))
		Expect(len(emitted[0])).To(BeNumerically("<", 1024))
		Expect(utf8.ValidString(emitted[0])).To(BeTrue())
		for i := 0; i < len(faults); i += 2 {
			Expect(emitted[0]).To(ContainSubstring(faults[i] + ": "))
		}
	})

	It("that is invalid keeps the last good configuration, whatever the document becomes", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, everything...)
		e.reconcile(ctx)
		e.configure(ctx, "UNMATCHED", "perhaps")
		e.reconcile(ctx)
		e.events.Take()
		e.put(ctx, "keywright-runtime", map[string]string{"runtime.json": "{}"})
		e.reconcile(ctx)
		Expect(e.document(ctx)).To(Equal(compiled))
		Expect(e.events.Take()).To(ConsistOf("Normal ConfigApplied " + restored))

		e.restart()
		e.reconcile(ctx)
		e.events.Take()
		e.remove(ctx, &corev1.ConfigMap{}, "keywright-runtime")
		e.reconcile(ctx)
		Expect(e.document(ctx)).To(Equal(compiled), "the document at the start is the last good one")
	})

	It("that is invalid and is the first puts nothing in force", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.put(ctx, "keywright-runtime", map[string]string{"runtime.json": "spoilt"})
		e.configure(ctx, "UNMATCHED", "perhaps")
		e.reconcile(ctx)
		e.reconcile(ctx)
		Expect(e.document(ctx)).To(Equal("spoilt"))
		Expect(e.events.Take()).To(ConsistOf(HavePrefix("Warning ConfigInvalid UNMATCHED: is neither allow nor deny.")))
	})
})

const restored = "ConfigMap keywright-runtime was changed by another client and is restored."

// versions records the versions of the objects that an event is about: the API server merges events about the same
// ones.
type versions struct {
	*kit.Events
	seen []string
}

func (v *versions) Eventf(regarding, related runtime.Object, kind, reason, action, note string, args ...any) {
	v.seen = append(v.seen, fmt.Sprint(reason, action, versionOf(regarding), versionOf(related)))
	v.Events.Eventf(regarding, related, kind, reason, action, note, args...)
}

func versionOf(o runtime.Object) string {
	if o == nil {
		return "none"
	}
	object, err := meta.Accessor(o)
	Expect(err).NotTo(HaveOccurred())
	secret, ok := o.(*corev1.Secret)
	Expect(ok && len(secret.Data) > 0).To(BeFalse(), "an event has the content of a Secret")
	return object.GetName() + " version " + object.GetResourceVersion()
}

var _ = Describe("Events", func() {
	It("with different notes are distinct for the API server", func(ctx SpecContext) {
		e := newEnv(ctx)
		v := &versions{Events: e.events}
		e.Events = v
		e.configure(ctx, "ADMIN_KEY_SECRET", "boot/key")
		e.reconcile(ctx)
		for _, key := range []string{bootstrap, "short", another} {
			e.secret(ctx, map[string]string{"key": key})
			e.reconcile(ctx)
		}
		e.remove(ctx, &corev1.ConfigMap{}, "keywright-runtime")
		e.reconcile(ctx)
		emitted := e.events.Take()
		Expect(emitted).To(HaveLen(5))
		seen := map[string]bool{}
		for _, version := range v.seen {
			seen[version] = true
		}
		Expect(seen).To(HaveLen(5), "%q", emitted)
	})

	It("about a restored document are merged", func(ctx SpecContext) {
		e := newEnv(ctx)
		v := &versions{Events: e.events}
		e.Events = v
		e.configure(ctx, everything...)
		e.reconcile(ctx)
		for _, spoilt := range []string{"{}", "spoilt"} {
			e.put(ctx, "keywright-runtime", map[string]string{"runtime.json": spoilt})
			e.reconcile(ctx)
		}
		Expect(v.seen).To(HaveLen(3))
		Expect(v.seen[1:]).To(HaveEach("ConfigAppliedRestorekeywright-config version none"), "they name no version")
		Expect(e.events.Take()[1:]).To(HaveEach("Normal ConfigApplied " + restored))
	})
})
