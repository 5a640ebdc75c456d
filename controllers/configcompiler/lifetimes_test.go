package configcompiler_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
)

var _ = Describe("The lifetimes of keys", func() {
	// issued creates an APIKey with a key of that age.
	issued := func(ctx context.Context, e *env, name string, age time.Duration, ttl *v1alpha1.Duration) {
		GinkgoHelper()
		k := &v1alpha1.APIKey{}
		k.Spec.Subject, k.Spec.TTL = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}, ttl
		k.Namespace, k.Name = e.namespace, name
		Expect(plane.Client.Create(ctx, k)).To(Succeed())
		digest := kit.Keyring("p").Digest(name + e.namespace)
		k.Status.Keys = []v1alpha1.KeyStatus{{
			ID: digest.KeyID(), Prefix: "ak_", Digest: digest.String(), State: v1alpha1.KeyCurrent,
			IssuedAt: metav1.NewTime(time.Now().Add(-age)),
		}}
		Expect(plane.Client.Status().Update(ctx, k)).To(Succeed())
	}
	It("report the keys that an edit ends at once, and no others", func(ctx SpecContext) {
		e, day := newEnv(ctx), v1alpha1.Duration("24h")
		e.configure(ctx)
		e.reconcile(ctx)
		e.events.Take()
		issued(ctx, e, "old", 48*time.Hour, nil)
		issued(ctx, e, "young", time.Minute, nil)
		issued(ctx, e, "ended-before", 48*time.Hour, &day)
		e.configure(ctx, "MAX_TTL", "36h", "DEFAULT_TTL", "12h")
		e.reconcile(ctx)
		Expect(e.events.Take()).To(ConsistOf(
			HavePrefix("Normal ConfigApplied Changed: MAX_TTL=36h0m0s, DEFAULT_TTL=12h0m0s"),
			Equal("Warning KeysEnded MAX_TTL=36h0m0s, DEFAULT_TTL=12h0m0s: APIKeys with a key that is older, and refused "+
				"from now on: 1 ("+e.namespace+"/old). Rotate them, or raise the setting.")))
		e.reconcile(ctx)
		Expect(e.events.Take()).To(BeEmpty())
		// A longer one ends none, and neither does an edit of another setting.
		e.configure(ctx, "MAX_TTL", "40h", "ACCOUNT", "acme")
		e.reconcile(ctx)
		Expect(e.events.Take()).To(ConsistOf(HavePrefix("Normal ConfigApplied")))
	})

	It("are refused together if no key could have the default", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, "MAX_TTL", "1h", "DEFAULT_TTL", "2h")
		e.reconcile(ctx)
		Expect(e.events.Take()).To(ConsistOf(
			"Warning ConfigInvalid DEFAULT_TTL: is longer than MAX_TTL. The last good configuration stays in force."))
	})
})
