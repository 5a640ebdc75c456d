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

// everything is every setting but those of the bootstrap key.
var everything = []string{
	"ALLOWED_USERS", "'Alice, Account/ci,,bob'",
	"SECURE_COOKIES", "no", "TRUST_PROXY_HEADERS", "on", "TRUST_USERNAMES", "1", "ANONYMOUS_READS", `"true"`,
	"ROUTES", "- match: GET /users/{user}/certificates\n  action: certs.read\n  owner: \"{user}\"\n- match: /admin/\n",
	"UNMATCHED", "deny", "ACCOUNT", "acme", "KEY_PREFIX", "kw_",
	"PRICES", "- {provider: openai, model: gpt-4o, input: 2.5, output: 10, cache_read: 1.25}", "STALE_AFTER", "5m",
}

// compiled is what becomes of everything.
const compiled = `{"keyPrefix":"kw_","allowedUsers":["account/ci","alice","bob"],"insecureCookies":true,"trustProxyHeaders":true,` +
	`"trustUsernames":true,"anonymousReads":true,"routes":[{"match":"GET /users/{user}/certificates","action":"certs.read","owner":"{user}"},` +
	`{"match":"/admin/"}],"denyUnmatched":true,"account":"acme","prices":[{"provider":"openai","model":"gpt-4o","input":2.5,"output":10,` +
	`"cacheRead":1.25}],"staleAfter":300000000000}`

// handedOver is the end of what is told of a document.
func handedOver(document string) string {
	return ". The configuration is valid and published to the servers as revision " + config.Revision(document) + "."
}

var _ = Describe("An edit", func() {
	It("of everything is compiled, and told setting by setting", func(ctx SpecContext) {
		b := newBench(ctx)
		b.look(ctx)
		b.configure(ctx, everything...)
		Expect(b.look(ctx)).To(BeZero())
		Expect(b.document(ctx)).To(Equal(compiled))
		Expect(b.events.Take()).To(ConsistOf("Normal ConfigApplied Changed: ALLOWED_USERS (3 names), SECURE_COOKIES=false, TRUST_PROXY_HEADERS=true, " +
			"TRUST_USERNAMES=true, ANONYMOUS_READS=true, ROUTES (2 routes), UNMATCHED=deny, ACCOUNT, KEY_PREFIX=kw_, PRICES (1 price), STALE_AFTER=5m0s" +
			handedOver(compiled)))
	})

	It("of one setting is told by that one", func(ctx SpecContext) {
		b := newBench(ctx)
		b.configure(ctx, everything...)
		b.look(ctx)
		b.events.Take()
		b.configure(ctx, append(everything, "ALLOWED_USERS", "alice", "ADMIN_KEY", bootstrap)...)
		b.look(ctx)
		Expect(b.events.Take()).To(ConsistOf(
			"Normal ConfigApplied Changed: the bootstrap key, ALLOWED_USERS (1 name)"+handedOver(b.document(ctx)),
			HavePrefix("Warning PlaintextKey")))
	})

	It("that comes to the same says so", func(ctx SpecContext) {
		b := newBench(ctx)
		b.configure(ctx, everything...)
		b.look(ctx)
		b.events.Take()
		b.configure(ctx, append(everything, "ALLOWED_USERS", "BOB,alice,account/CI")...)
		b.look(ctx)
		Expect(b.events.Take()).To(ConsistOf("Normal ConfigApplied Nothing changed" + handedOver(compiled)))
	})

	It("made while the operator was away is told at its start", func(ctx SpecContext) {
		b := newBench(ctx)
		b.configure(ctx, everything...)
		b.look(ctx)
		b.events.Take()
		b.configure(ctx, append(everything, "UNMATCHED", "allow")...)
		b.restart()
		b.look(ctx)
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Normal ConfigApplied Changed: UNMATCHED=allow.")))
	})

	It("is forgotten with the ConfigMap", func(ctx SpecContext) {
		b := newBench(ctx)
		b.configure(ctx, everything...)
		b.look(ctx)
		b.events.Take()
		b.remove(ctx, &corev1.ConfigMap{}, "keywright-config")
		b.look(ctx)
		Expect(b.document(ctx)).To(Equal("{}"))
		Expect(b.events.Take()).To(BeEmpty(), "there is nothing to tell it on")
	})

	It("with faults everywhere is told in one event that names each setting and fits", func(ctx SpecContext) {
		b := newBench(ctx)
		b.configure(ctx, everything...)
		b.look(ctx)
		b.events.Take()
		var faults []string
		for i := 0; i < len(everything); i += 2 {
			faults = append(faults, everything[i], strings.Repeat("ä ", 300))
		}
		faults = append(faults, "ADMIN_KEY", "short", "ADMIN_KEY_SECRET", another, "FIRST", "", "SECOND", "", "THIRD", "", "FOURTH", "", "FIFTH", "")
		b.configure(ctx, faults...)
		Expect(b.look(ctx)).To(BeZero())
		Expect(b.document(ctx)).To(Equal(compiled))
		told := b.events.Take()
		Expect(told).To(HaveLen(1))
		Expect(told[0]).To(HavePrefix("Warning ConfigInvalid ACCOUNT: "))
		Expect(len(told[0])).To(BeNumerically("<", 1024))
		Expect(utf8.ValidString(told[0])).To(BeTrue())
		for i := 0; i < len(faults); i += 2 {
			Expect(told[0]).To(ContainSubstring(faults[i] + ": "))
		}
	})

	It("that can't be used leaves in force what is, whoever changes it", func(ctx SpecContext) {
		b := newBench(ctx)
		b.configure(ctx, everything...)
		b.look(ctx)
		b.configure(ctx, "UNMATCHED", "perhaps")
		b.look(ctx)
		b.events.Take()
		b.put(ctx, "keywright-runtime", map[string]string{"runtime.json": "{}"})
		b.look(ctx)
		Expect(b.document(ctx)).To(Equal(compiled))
		Expect(b.events.Take()).To(ConsistOf("Normal ConfigApplied ConfigMap keywright-runtime was changed by another client and is restored to revision " +
			config.Revision(compiled) + "."))

		b.restart()
		b.look(ctx)
		b.events.Take()
		b.remove(ctx, &corev1.ConfigMap{}, "keywright-runtime")
		b.look(ctx)
		Expect(b.document(ctx)).To(Equal(compiled), "what was there at the start is what was good")
	})

	It("that can't be used and is the first leaves nothing in force", func(ctx SpecContext) {
		b := newBench(ctx)
		b.put(ctx, "keywright-runtime", map[string]string{"runtime.json": "spoilt"})
		b.configure(ctx, "UNMATCHED", "perhaps")
		b.look(ctx)
		b.look(ctx)
		Expect(b.document(ctx)).To(Equal("spoilt"))
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Warning ConfigInvalid UNMATCHED: is neither allow nor deny.")))
	})
})

// versions notes which versions of which objects an event is about: of the same ones the API server would be
// told once.
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
	secret, is := o.(*corev1.Secret)
	Expect(is && len(secret.Data) > 0).To(BeFalse(), "a Secret's content is handed on")
	return object.GetName() + " " + object.GetResourceVersion()
}

var _ = Describe("Events", func() {
	It("of different texts are different ones to the API server", func(ctx SpecContext) {
		b := newBench(ctx)
		v := &versions{Events: b.events}
		b.Events = v
		b.configure(ctx, "ADMIN_KEY_SECRET", "boot/key")
		b.look(ctx)
		for _, key := range []string{bootstrap, "short", another} {
			b.secret(ctx, map[string]string{"key": key})
			b.look(ctx)
		}
		b.remove(ctx, &corev1.ConfigMap{}, "keywright-runtime")
		b.look(ctx)
		told := b.events.Take()
		Expect(told).To(HaveLen(5))
		seen := map[string]bool{}
		for _, about := range v.seen {
			seen[about] = true
		}
		Expect(seen).To(HaveLen(5), "%q", told)
	})

	It("that somebody changed what is compiled are the same one", func(ctx SpecContext) {
		b := newBench(ctx)
		v := &versions{Events: b.events}
		b.Events = v
		b.configure(ctx, everything...)
		b.look(ctx)
		for _, spoilt := range []string{"{}", "spoilt"} {
			b.put(ctx, "keywright-runtime", map[string]string{"runtime.json": spoilt})
			b.look(ctx)
		}
		Expect(v.seen).To(HaveLen(3))
		Expect(v.seen[1]).To(And(Equal(v.seen[2]), Not(Equal(v.seen[0]))))
		told := b.events.Take()
		Expect(told[1]).To(Equal(told[2]))
	})
})
