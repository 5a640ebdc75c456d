package lifecyclesuite

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
)

func (s *Suite[T]) effective() {
	Describe("The effective settings", func() {
		It("show the overlap that applies, and follow the spec", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			o := e.Apply(ctx, one)
			Expect(o.HolderStatus().Effective.Overlap).To(Equal(s.ShownOverlap))
			o = e.Change(ctx, one, s.overlapOf("90m"))
			Expect(o.HolderStatus().Effective.Overlap).To(Equal(v1alpha1.Duration("1h30m")))
		})

		It("take no write of their own", func(ctx SpecContext) {
			e, writes := s.NewEnv(ctx), 0
			e.Client = kit.CountWrites(e.Cached, &writes)
			e.Apply(ctx, one)
			Expect(writes).To(Equal(3), "the digest, the Secret, and the key that is current")
		})
	})
}

func (s *Suite[T]) refusedByServer() {
	Describe("A key that the server refuses for a reason of its own", func() {
		It("is not Active for that reason, and Active again when the entry goes", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			before := e.Apply(ctx, one)
			id := before.HolderStatus().Keys[0].ID
			o := e.EditStatus(ctx, one, func(s *v1alpha1.KeyHolderStatus) {
				s.Usage.Refused = []v1alpha1.RefusedKey{{ID: id, Reason: "Leaked"}}
			})
			ExpectConditions(o, issued, "False/Leaked")
			Expect(Message(o, "Active")).To(Equal("The server refuses key " + id + ": Leaked."))
			Expect(o.HolderStatus().Keys).To(Equal(before.HolderStatus().Keys))
			o = e.EditStatus(ctx, one, func(s *v1alpha1.KeyHolderStatus) { s.Usage.Refused = nil })
			ExpectConditions(o, issued, accepted)
		})

		It("is Active again when it has been replaced, whatever the entry of the old one", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			id := e.Apply(ctx, one).HolderStatus().Keys[0].ID
			e.EditStatus(ctx, one, func(s *v1alpha1.KeyHolderStatus) {
				s.Usage.Refused = []v1alpha1.RefusedKey{{ID: id, Reason: "Leaked"}}
			})
			o := e.Change(ctx, one, s.rotate("1"))
			ExpectConditions(o, issued, accepted)
			Expect(o.HolderStatus().Usage.Refused).To(HaveLen(1), "the server's to remove")
		})
	})
}

// usage checks that the server finds the parent of what it observes.
func (s *Suite[T]) usage() {
	Describe("status.usage", func() {
		patch := client.RawPatch("application/json-patch+json",
			[]byte(`[{"op":"add","path":"/status/usage/lastUsedAt","value":"2030-01-01T12:00:00Z"}]`))
		for what, prepare := range map[string]func(ctx SpecContext, e *Env[T]){
			"brand-new": func(SpecContext, *Env[T]) {},
			"whose status was emptied": func(ctx SpecContext, e *Env[T]) {
				e.Reconcile(ctx, one)
				none := client.RawPatch("application/merge-patch+json", []byte(`{"status":null}`))
				Expect(e.Cached.Status().Patch(ctx, e.Get(ctx, one), none)).To(Succeed())
				Expect(e.Get(ctx, one).HolderStatus().Keys).To(BeEmpty())
			},
			"whose usage was emptied": func(ctx SpecContext, e *Env[T]) {
				e.Reconcile(ctx, one)
				none := client.RawPatch("application/merge-patch+json", []byte(`{"status":{"usage":null}}`))
				Expect(e.Cached.Status().Patch(ctx, e.Get(ctx, one), none)).To(Succeed())
			},
		} {
			It("takes a last use of an object "+what+", which the operator keeps", func(ctx SpecContext) {
				e := s.NewEnv(ctx)
				e.Create(ctx, one)
				prepare(ctx, e)
				Expect(e.Cached.Status().Patch(ctx, e.Get(ctx, one), patch)).To(Succeed())
				e.Reconcile(ctx, one)
				o := e.Get(ctx, one)
				ExpectConditions(o, issued, accepted)
				Expect(o.HolderStatus().Usage.LastUsedAt.Time).To(BeTemporally("==", Begin))
			})
		}
	})
}
