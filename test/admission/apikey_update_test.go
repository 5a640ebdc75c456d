package admission

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// made is an APIKey that somebody else made.
func made(ctx context.Context, spec v1alpha1.APIKeySpec) *v1alpha1.APIKey {
	GinkgoHelper()
	object := apiKey(team, newName(ctx, "made"), spec)
	Expect(plane.Client.Create(ctx, object)).To(Succeed())
	return object
}

// merge edits an APIKey as kubectl patch --type=merge does.
func merge(ctx context.Context, c client.Client, object *v1alpha1.APIKey, patch string) error {
	return c.Patch(ctx, object.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch)))
}

// rich has some of everything.
func rich() v1alpha1.APIKeySpec {
	return v1alpha1.APIKeySpec{
		Subject: ci, Scopes: []v1alpha1.Scope{"certs.read", "certs.write"}, Roles: []v1alpha1.RoleName{"reader", "writer"},
		Policy: policy(v1alpha1.EffectAllow, "certs.read"),
	}
}

const (
	allow = `{"effect":"ALLOW","actions":["certs.read"],"resources":["*"]}`
	deny  = `{"effect":"DENY","actions":["certs.read"],"resources":["*"]}`
)

var _ = DescribeTable("Whoever may edit APIKeys and use nothing",
	func(ctx SpecContext, patch, want string) {
		expectRefusal(merge(ctx, person(ctx, team, editing), made(ctx, rich()), patch), want)
	},
	Entry("may describe one", `{"spec":{"displayName":"d","description":"d","category":"c"}}`, ""),
	Entry("may label one", `{"metadata":{"labels":{"a":"b"}}}`, ""),
	Entry("may ask for a rotation", `{"metadata":{"annotations":{"keywright.dev/rotate":"now"}}}`, ""),
	Entry("may take off a finalizer", `{"metadata":{"finalizers":null}}`, ""),
	Entry("may change its times", `{"spec":{"ttl":"24h","rotation":{"every":"1h"}}}`, ""),
	Entry("may disable it", `{"spec":{"enabled":false}}`, ""),
	Entry("may revoke it", `{"spec":{"revoked":true}}`, ""),
	Entry("may take away a scope", `{"spec":{"scopes":["certs.read"]}}`, ""),
	Entry("may take away all scopes", `{"spec":{"scopes":null}}`, ""),
	Entry("may change the order of scopes and roles", `{"spec":{"scopes":["certs.write","certs.read"],"roles":["writer","reader"]}}`, ""),
	Entry("may take away a policy that only allows", `{"spec":{"policy":null}}`, ""),
	Entry("may write the policy that is there", `{"spec":{"policy":{"permissions":[`+allow+`]}}}`, ""),

	Entry("may not add a scope", `{"spec":{"scopes":["certs.read","certs.write","certs.admin"]}}`, noScope("certs.admin")),
	Entry("may not swap a scope for another", `{"spec":{"scopes":["certs.read","certs.admin"]}}`, noScope("certs.admin")),
	Entry("may not write a scope in other letters", `{"spec":{"scopes":["certs.read","Certs.write"]}}`, noScope("Certs.write")),
	Entry("may not add a role", `{"spec":{"roles":["reader","root","writer"]}}`, noRole("root")),
	Entry("may not take away a role: it may deny", `{"spec":{"roles":["writer"]}}`, keepsRole("reader")),
	Entry("may not change the policy", `{"spec":{"policy":{"permissions":[`+allow+`,`+deny+`]}}}`, noPolicy),
	Entry("may not widen the policy", `{"spec":{"policy":{"permissions":[{"effect":"ALLOW","actions":["*"],"resources":["*"]}]}}}`, noPolicy),
	Entry("may not hide an addition among edits", `{"metadata":{"labels":{"a":"b"}},"spec":{"enabled":false,"scopes":["certs.admin"]}}`, noScope("certs.admin")),
)

var _ = Describe("An APIKey that is there", func() {
	It("gets a scope from whoever may use that one, whatever else it has", func(ctx SpecContext) {
		who := person(ctx, team, editing, use("scopes", "certs.admin"))
		expectRefusal(merge(ctx, who, made(ctx, rich()), `{"spec":{"scopes":["certs.admin","certs.read","certs.write"]}}`), "")
	})

	It("gets back what was taken away only from whoever may use it", func(ctx SpecContext) {
		object := made(ctx, rich())
		who := person(ctx, team, editing)
		expectRefusal(merge(ctx, who, object, `{"spec":{"scopes":["certs.read"],"policy":null}}`), "")
		expectRefusal(merge(ctx, who, object, `{"spec":{"scopes":["certs.read","certs.write"]}}`), noScope("certs.write"))
		expectRefusal(merge(ctx, who, object, `{"spec":{"policy":{"permissions":[`+allow+`]}}}`), noPolicy)
		allowed := person(ctx, team, editing, use("scopes", "certs.write"), use("policies"))
		expectRefusal(merge(ctx, allowed, object, `{"spec":{"scopes":["certs.read","certs.write"],"policy":{"permissions":[`+allow+`]}}}`), "")
	})

	It("gives up a policy that denies only to whoever may use policies", func(ctx SpecContext) {
		object := made(ctx, v1alpha1.APIKeySpec{Subject: ci, Scopes: []v1alpha1.Scope{"certs.read"}, Policy: policy(v1alpha1.EffectDeny, "certs.read")})
		expectRefusal(merge(ctx, person(ctx, team, editing), object, `{"spec":{"policy":null}}`), keepsPolicy)
		expectRefusal(merge(ctx, person(ctx, team, editing, use("policies")), object, `{"spec":{"policy":null}}`), "")
	})

	It("gives up a role only to whoever may use it", func(ctx SpecContext) {
		who := person(ctx, team, editing, use("accessroles", "reader"))
		object := made(ctx, rich())
		expectRefusal(merge(ctx, who, object, `{"spec":{"roles":null}}`), keepsRole("writer"))
		expectRefusal(merge(ctx, who, object, `{"spec":{"roles":["writer"]}}`), "")
	})

	It("keeps its subject whoever asks", func(ctx SpecContext) {
		who := person(ctx, team, editing, use("subjects"))
		Expect(merge(ctx, who, made(ctx, rich()), `{"spec":{"subject":{"kind":"User","name":"alice"}}}`)).
			To(MatchError(ContainSubstring("subject can't be changed")))
	})

	It("never has a scope twice", func(ctx SpecContext) {
		Expect(merge(ctx, person(ctx, team, editing, use("scopes")), made(ctx, rich()), `{"spec":{"scopes":["certs.read","certs.read"]}}`)).
			To(MatchError(ContainSubstring("Duplicate value")))
	})

	It("is asked for in an apply and in a whole update as in a patch", func(ctx SpecContext) {
		who, object := person(ctx, team, editing), made(ctx, rich())
		applied := []byte(`{"apiVersion":"keywright.dev/v1alpha1","kind":"APIKey","spec":{"scopes":["certs.admin"]}}`)
		err := who.Patch(ctx, object.DeepCopy(), client.RawPatch(types.ApplyPatchType, applied), client.FieldOwner("somebody"))
		expectRefusal(err, noScope("certs.admin"))

		object.Spec.Scopes = append(object.Spec.Scopes, "certs.admin")
		expectRefusal(who.Update(ctx, object), noScope("certs.admin"))
	})

	It("is deleted without use of what it has", func(ctx SpecContext) {
		Expect(person(ctx, team, editing).Delete(ctx, made(ctx, rich()))).To(Succeed())
	})

	It("gets its status from whoever may write that, and no use", func(ctx SpecContext) {
		operator := person(ctx, team, keys("get"), statusOf("apikeys"))
		patch := client.RawPatch(types.MergePatchType, []byte(`{"status":{"observedGeneration":1}}`))
		Expect(operator.Status().Patch(ctx, made(ctx, rich()), patch)).To(Succeed())
	})
})
