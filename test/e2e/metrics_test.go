package e2e

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
)

// lasting gives a key a schedule and an end.
func lasting(k *v1alpha1.APIKey) {
	k.Spec.TTL, k.Spec.Rotation = new(v1alpha1.Duration("48h")), &v1alpha1.Rotation{Every: new(v1alpha1.Duration("24h"))}
}

// brief gives a key an end within seconds.
func brief(k *v1alpha1.APIKey) {
	k.Spec.ExpiresAt = new(metav1.NewTime(time.Now().Add(3 * time.Second)))
}

// brought creates a Secret with a person's own key, under the name of an APIKey's Secret.
func brought(ctx context.Context, name, plaintext string, annotations map[string]string) {
	GinkgoHelper()
	Expect(s.Client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: tenant, Name: name + "-api-key", Annotations: annotations},
		StringData: map[string]string{v1alpha1.SecretKey: plaintext},
	})).To(Succeed())
}

var _ = Describe("The operator's metrics", func() {
	It("count issue, rotation, expiry, adoption, conflict and revocation without names", func(ctx SpecContext) {
		rotated, ended := newAPIKey(ctx, "metered-rotated", lasting), newAPIKey(ctx, "metered-ended", brief)
		unscheduled := newAPIKey(ctx, "metered-unscheduled", func(k *v1alpha1.APIKey) {
			k.Spec.TTL = new(v1alpha1.Duration("48h"))
		})
		brought(ctx, "metered-adopted", "a-key-that-a-person-brought", map[string]string{v1alpha1.AnnotationAdopt: "true"})
		brought(ctx, "metered-stuck", "a-key-of-another-person", nil)
		brought(ctx, "metered-short", "short", map[string]string{v1alpha1.AnnotationAdopt: "true"})
		adopted, stuck := newAPIKey(ctx, "metered-adopted"), newAPIKey(ctx, "metered-stuck")
		short := newAPIKey(ctx, "metered-short")
		awaitReady(ctx, rotated, v1alpha1.ReasonIssued)
		annotate(ctx, rotated, v1alpha1.AnnotationRotate, "now")
		awaitReady(ctx, adopted, v1alpha1.ReasonIssued)
		awaitReady(ctx, stuck, v1alpha1.ReasonSecretConflict)
		awaitReady(ctx, short, v1alpha1.ReasonInvalidKey)
		awaitAPIKey(ctx, ended, v1alpha1.ConditionActive, v1alpha1.ReasonExpired)

		lines := awaitMetrics(ctx,
			`keywright_keys_issued_total{kind="APIKey"}`,
			`keywright_key_rotations_total{kind="APIKey",reason="requested"}`,
			`keywright_keys_adopted_total{kind="APIKey"}`,
			`keywright_keys_ended_total{kind="APIKey",reason="expired"}`,
			`keywright_conflicts_total{kind="APIKey",what="secret"}`,
			`keywright_keys{kind="AdminUser",state="active"}`,
			`keywright_keys{kind="APIKey",state="active"}`,
			`keywright_keys{kind="APIKey",state="expired"}`,
			`keywright_keys{kind="APIKey",state="overlapping"}`,
			`keywright_keys{kind="APIKey",state="stalled"}`,
			`keywright_stalled_objects{kind="APIKey"}`,
			`keywright_next_expiry_seconds{kind="APIKey"}`,
			`keywright_next_rotation_seconds{kind="APIKey"}`,
		)
		for _, line := range lines {
			for _, name := range []string{"metered", keeper, tenant, kit.CurrentKey(rotated).ID, kit.CurrentKey(rotated).Prefix,
				string(rotated.UID)} {
				Expect(line).NotTo(ContainSubstring(name))
			}
		}
		for _, k := range []*v1alpha1.APIKey{rotated, ended, unscheduled, adopted, stuck, short} {
			removeAPIKey(ctx, k)
		}
		awaitMetrics(ctx, `keywright_keys_ended_total{kind="APIKey",reason="deleted"}`)
	})
})

// awaitMetrics returns the lines of Keywright's metrics once each of these series has a value above 0.
func awaitMetrics(ctx context.Context, series ...string) (lines []string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		lines = nil
		values := map[string]string{}
		for line := range strings.Lines(string(fetch(ctx, s.OperatorMetricsURL))) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			if strings.HasPrefix(name, "keywright_") {
				lines = append(lines, line)
				values[name] = value
			}
		}
		for _, one := range series {
			g.Expect(values).To(HaveKey(one))
			g.Expect(values[one]).NotTo(Equal("0"), one)
			g.Expect(values[one]).NotTo(HavePrefix("-"), one)
		}
	}).WithTimeout(patience).Should(Succeed())
	return lines
}
