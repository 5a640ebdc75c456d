package apikey_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
)

// limit writes the configuration in force. document replaces it if it is not empty.
func (e *env) limit(ctx context.Context, limits config.Runtime, document string) {
	GinkgoHelper()
	if document == "" {
		document = limits.Encode()
	}
	runtime := &corev1.ConfigMap{Data: map[string]string{config.RuntimeKey: document}}
	runtime.Namespace, runtime.Name = e.System, v1alpha1.ConfigMapRuntime
	err := suite.Cached.Create(ctx, runtime)
	if err != nil {
		err = suite.Cached.Update(ctx, runtime)
	}
	Expect(err).NotTo(HaveOccurred())
}

var _ = Describe("The limits of the instance", func() {
	It("apply to what the spec leaves open or asks too much of", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.limit(ctx, config.Runtime{MaxTTL: 10 * time.Hour, DefaultTTL: 5 * time.Hour}, "")
		short := e.role(ctx, "short", maxTTL("2h"))
		for name, c := range map[string]struct {
			change func(*v1alpha1.APIKey)
			ends   time.Duration
			ttl    v1alpha1.Duration
			from   string
		}{
			"none":      {func(*v1alpha1.APIKey) {}, 5 * time.Hour, "5h", "DEFAULT_TTL"},
			"ttl":       {ttl("7h"), 7 * time.Hour, "7h", "spec.ttl"},
			"long-ttl":  {ttl("20h"), 10 * time.Hour, "10h", "MAX_TTL"},
			"late":      {expires(20 * time.Hour), 10 * time.Hour, "10h", "MAX_TTL"},
			"early":     {expires(time.Hour), time.Hour, "10h", "MAX_TTL"},
			"with-role": {using(short), 2 * time.Hour, "2h", "AccessRole/" + string(short)},
		} {
			k := e.Apply(ctx, name, c.change)
			Expect(endsAt(k)).To(Equal(c.ends), name)
			Expect(*k.Status.Effective).To(Equal(v1alpha1.Effective{TTL: c.ttl, TTLFrom: c.from, Overlap: "1h"}), name)
		}
	})

	It("end an older key when they arrive, with a warning, and a rotation cures it", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci")
		plaintext := e.Plaintext(ctx, "ci-api-key")
		e.Events.Take()
		e.SetTime(3 * time.Hour)
		e.limit(ctx, config.Runtime{MaxTTL: 2 * time.Hour}, "")
		e.Reconcile(ctx, "ci")
		k := e.Get(ctx, "ci")
		expectConditions(k, "True/Issued", "False/Expired")
		const text = "The key expired at 2030-01-01T14:00:00Z, by setting MAX_TTL."
		Expect(message(k, "Active")).To(Equal(text))
		Expect(e.Events.Take()).To(ConsistOf("Warning KeyExpired " + text))
		Expect(e.Accepted(ctx, "ci", plaintext)).To(BeFalse())
		k = e.Change(ctx, "ci", rotate("1"))
		expectConditions(k, "True/Issued", "True/Accepted")
		Expect(endsAt(k)).To(Equal(5 * time.Hour))
		// Without the limit the key has no end again.
		e.limit(ctx, config.Runtime{}, "")
		e.Reconcile(ctx, "ci")
		Expect(e.Get(ctx, "ci").Status.Keys[0].ExpiresAt).To(BeNil())
	})

	It("stay as they are while the document can't be read or is missing", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.limit(ctx, config.Runtime{MaxTTL: 2 * time.Hour}, "")
		r := e.NewReconciler()
		e.Create(ctx, "ci")
		end := func() time.Duration {
			GinkgoHelper()
			_, err := r.Reconcile(ctx, reconcile.Request{NamespacedName: e.Key("ci")})
			Expect(err).NotTo(HaveOccurred())
			return endsAt(e.Get(ctx, "ci"))
		}
		Expect(end()).To(Equal(2 * time.Hour))
		e.limit(ctx, config.Runtime{}, "{")
		Expect(end()).To(Equal(2 * time.Hour))
		runtime := &corev1.ConfigMap{}
		runtime.Namespace, runtime.Name = e.System, v1alpha1.ConfigMapRuntime
		Expect(suite.Cached.Delete(ctx, runtime)).To(Succeed())
		Expect(end()).To(Equal(2 * time.Hour))
		e.limit(ctx, config.Runtime{MaxTTL: 3 * time.Hour}, "")
		Expect(end()).To(Equal(3 * time.Hour))
	})
})
