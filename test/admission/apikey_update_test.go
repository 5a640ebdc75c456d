package admission

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// made creates an APIKey as the cluster admin.
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

// rich returns a spec with scopes, roles and a policy.
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

var _ = DescribeTable("A user who may edit APIKeys but use nothing",
	func(ctx SpecContext, patch, want string) {
		expectRefusal(merge(ctx, person(ctx, team, editing), made(ctx, rich()), patch), want)
	},
	Entry("may describe one", `{"spec":{"displayName":"d","description":"d","category":"c"}}`, ""),
	Entry("may label one", `{"metadata":{"labels":{"a":"b"}}}`, ""),
	Entry("may request a rotation", `{"metadata":{"annotations":{"keywright.dev/rotate":"now"}}}`, ""),
	Entry("may remove a finalizer", `{"metadata":{"finalizers":null}}`, ""),
	Entry("may give it an end", `{"spec":{"ttl":"24h"}}`, ""),
	Entry("may disable it", `{"spec":{"state":"Disabled"}}`, ""),
	Entry("may revoke it", `{"spec":{"state":"Revoked"}}`, ""),
	Entry("may remove a scope", `{"spec":{"scopes":["certs.read"]}}`, ""),
	Entry("may remove all scopes", `{"spec":{"scopes":null}}`, ""),
	Entry("may change the order of scopes and roles",
		`{"spec":{"scopes":["certs.write","certs.read"],"roles":["writer","reader"]}}`, ""),
	Entry("may remove a policy that only allows", `{"spec":{"policy":null}}`, ""),
	Entry("may write the existing policy", `{"spec":{"policy":{"permissions":[`+allow+`]}}}`, ""),

	Entry("may not add a scope", `{"spec":{"scopes":["certs.read","certs.write","certs.admin"]}}`, noScope("certs.admin")),
	Entry("may not swap a scope for another", `{"spec":{"scopes":["certs.read","certs.admin"]}}`, noScope("certs.admin")),
	Entry("may not write a scope in another case", `{"spec":{"scopes":["certs.read","Certs.write"]}}`,
		noScope("Certs.write")),
	Entry("may not add a role", `{"spec":{"roles":["reader","root","writer"]}}`, noRole("root")),
	Entry("may not remove a role, for it may deny", `{"spec":{"roles":["writer"]}}`, keepsRole("reader")),
	Entry("may not change the policy", `{"spec":{"policy":{"permissions":[`+allow+`,`+deny+`]}}}`, noPolicy),
	Entry("may not widen the policy",
		`{"spec":{"policy":{"permissions":[{"effect":"ALLOW","actions":["*"],"resources":["*"]}]}}}`, noPolicy),
	Entry("may not hide an addition among edits",
		`{"metadata":{"labels":{"a":"b"}},"spec":{"state":"Disabled","scopes":["certs.admin"]}}`, noScope("certs.admin")),
)

var _ = Describe("An existing APIKey", func() {
	It("gets a scope from a user who may use that scope, whatever else it has", func(ctx SpecContext) {
		who := person(ctx, team, editing, use("scopes", "certs.admin"))
		expectRefusal(merge(ctx, who, made(ctx, rich()), `{"spec":{"scopes":["certs.admin","certs.read","certs.write"]}}`),
			"")
	})

	It("gets back removed parts only from a user who may use them", func(ctx SpecContext) {
		object := made(ctx, rich())
		who := person(ctx, team, editing)
		expectRefusal(merge(ctx, who, object, `{"spec":{"scopes":["certs.read"],"policy":null}}`), "")
		expectRefusal(merge(ctx, who, object, `{"spec":{"scopes":["certs.read","certs.write"]}}`), noScope("certs.write"))
		expectRefusal(merge(ctx, who, object, `{"spec":{"policy":{"permissions":[`+allow+`]}}}`), noPolicy)
		allowed := person(ctx, team, editing, use("scopes", "certs.write"), use("policies"))
		expectRefusal(merge(ctx, allowed, object,
			`{"spec":{"scopes":["certs.read","certs.write"],"policy":{"permissions":[`+allow+`]}}}`), "")
	})

	It("loses a policy that denies only to a user who may use policies", func(ctx SpecContext) {
		object := made(ctx, v1alpha1.APIKeySpec{Subject: ci, Scopes: []v1alpha1.Scope{"certs.read"},
			Policy: policy(v1alpha1.EffectDeny, "certs.read")})
		expectRefusal(merge(ctx, person(ctx, team, editing), object, `{"spec":{"policy":null}}`), keepsPolicy)
		expectRefusal(merge(ctx, person(ctx, team, editing, use("policies")), object, `{"spec":{"policy":null}}`), "")
	})

	It("loses a role only to a user who may use it", func(ctx SpecContext) {
		who := person(ctx, team, editing, use("accessroles", "reader"))
		object := made(ctx, rich())
		expectRefusal(merge(ctx, who, object, `{"spec":{"roles":null}}`), keepsRole("writer"))
		expectRefusal(merge(ctx, who, object, `{"spec":{"roles":["writer"]}}`), "")
	})

	It("never has a scope twice", func(ctx SpecContext) {
		Expect(merge(ctx, person(ctx, team, editing, use("scopes")), made(ctx, rich()),
			`{"spec":{"scopes":["certs.read","certs.read"]}}`)).
			To(MatchError(ContainSubstring("must not repeat a scope")))
	})

	It("is checked in an apply and in an update as in a patch", func(ctx SpecContext) {
		who, object := person(ctx, team, editing), made(ctx, rich())
		applied := []byte(`{"apiVersion":"keywright.dev/v1alpha1","kind":"APIKey","spec":{"scopes":["certs.admin"]}}`)
		err := who.Patch(ctx, object.DeepCopy(), client.RawPatch(types.ApplyPatchType, applied), client.FieldOwner("alice"),
			client.ForceOwnership)
		expectRefusal(err, noScope("certs.admin"))

		object.Spec.Scopes = append(object.Spec.Scopes, "certs.admin")
		expectRefusal(who.Update(ctx, object), noScope("certs.admin"))
	})

	It("is deleted without use of its parts", func(ctx SpecContext) {
		Expect(person(ctx, team, editing).Delete(ctx, made(ctx, rich()))).To(Succeed())
	})

	It("gets its status from a user who may restore it, without any use", func(ctx SpecContext) {
		operator := person(ctx, team, keys("get"), statusOf("apikeys"), restoring)
		patch := client.RawPatch(types.MergePatchType, []byte(`{"status":{"observedGeneration":1}}`))
		Expect(operator.Status().Patch(ctx, made(ctx, rich()), patch)).To(Succeed())
	})
})

// The policies read these values. A policy that met one first would refuse it with an error of its expression.
var _ = Describe("A value that a CRD refuses", Ordered, func() {
	var editor client.Client
	BeforeAll(func(ctx SpecContext) { editor = person(ctx, team, editing) })

	DescribeTable("is refused in the words of the CRD:", func(ctx SpecContext, from, patch, want string) {
		err := update(ctx, editor, apiKeys.object(ctx, from), patch)
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(And(ContainSubstring(want), Not(ContainSubstring("ValidatingAdmissionPolicy")))))
	},
		Entry("a lifetime in words", `{"ttl":"24h"}`, `{"ttl":"1 day"}`,
			`spec.ttl: Invalid value: "1 day": must be at least 1s, in hours, minutes and seconds`),
		Entry("a lifetime as a number", `{"ttl":"24h"}`, `{"ttl":3600}`, "spec.ttl in body must be of type string"),
		Entry("an end in words", `{"expiresAt":"2030-01-01T00:00:00Z"}`, `{"expiresAt":"tomorrow"}`,
			"spec.expiresAt in body must be of type date-time"),
		Entry("an end in the year 10000", `{"expiresAt":"2030-01-01T00:00:00Z"}`,
			`{"expiresAt":"9999-12-30T23:00:00-24:60"}`, "spec.expiresAt: Invalid value: "+
				`"9999-12-30T23:00:00-24:60": must be a time such as 2030-01-31T12:00:00Z`),
		Entry("an overlap in words", "", `{"rotation":{"overlap":"x"}}`,
			`spec.rotation.overlap: Invalid value: "x": must be in hours, minutes and seconds`),
		Entry("an empty schedule", "", `{"rotation":{"every":""}}`, `spec.rotation.every: Invalid value: "": must be at`),
		Entry("an unknown state", "", `{"state":"Off"}`, `spec.state: Unsupported value: "Off"`),
		Entry("a policy without permissions", "", `{"policy":{}}`, "spec.policy.permissions: Required value"),
		Entry("a permission without an effect", `{"policy":{"permissions":[`+deny+`]}}`,
			`{"policy":{"permissions":[{}]}}`, "spec.policy.permissions[0].effect: Required value"),
		Entry("no subject", "", `{"subject":null}`, "spec.subject: Required value"),
		Entry("no spec", "", `null`, "spec: Required value"),
	)
})
