package admission

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

const (
	keepsID = "may not change status.id, which says whose the keys of this user are: needs verb restore on " +
		"keys.keywright.dev in namespace keywright-system"
	keepsOwner = "may not change status.owner and keep a key, which would pass to another user: needs verb restore on " +
		"keys.keywright.dev in namespace team-a"
	takesOver = `may not take over a key that speaks as User/alice: needs verb use on users.keywright.dev "alice" in ` +
		"namespace team-a"
)

var alice = v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "alice"}

const (
	one      = `{"id":"1","digest":"one","state":"Current","issuedAt":"2030-01-01T00:00:00Z"}`
	two      = `{"id":"2","digest":"two","state":"Current","issuedAt":"2030-01-01T00:00:00Z"}`
	hers     = `{"id":"hers","boundAt":"2030-01-01T00:00:00Z"}`
	anothers = `{"id":"another","boundAt":"2030-01-01T00:00:00Z"}`
)

// writeStatus merges fields into a status.
func writeStatus(ctx context.Context, who client.Client, object client.Object, fields string) error {
	copied := object.DeepCopyObject().(client.Object)
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"status":`+fields+`}`))
	return who.Status().Patch(ctx, copied, patch)
}

var _ = DescribeTable("The owner of a key",
	func(ctx SpecContext, before, after, want string) {
		operator := installed.Account(ctx, "keywright-operator")
		key := made(ctx, v1alpha1.APIKeySpec{Subject: alice})
		Expect(writeStatus(ctx, operator, key, before)).To(Succeed())
		expectRefusal(writeStatus(ctx, operator, key, after), want)
		expectRefusal(writeStatus(ctx, person(ctx, team, everyVerb, restoring), key, after), "")
	},
	Entry("is set", `{"keys":[`+one+`]}`, `{"owner":`+hers+`}`, ""),
	Entry("stays while keys change", `{"keys":[`+one+`],"owner":`+hers+`}`, `{"keys":[`+one+`,`+
		`{"id":"3","digest":"three","state":"Pending","issuedAt":"2030-01-01T00:00:00Z"}],"owner":`+hers+`}`, ""),
	Entry("does not change", `{"keys":[`+one+`],"owner":`+hers+`}`, `{"owner":`+anothers+`}`, keepsOwner),
	Entry("does not go", `{"keys":[`+one+`],"owner":`+hers+`}`, `{"owner":null}`, keepsOwner),
	Entry("does not change with a key that stays beside a new one", `{"keys":[`+one+`],"owner":`+hers+`}`,
		`{"keys":[`+two+`,{"id":"1","digest":"one","state":"Overlapping","issuedAt":"2030-01-01T00:00:00Z"}],"owner":`+
			anothers+`}`, keepsOwner),
	Entry("changes with all keys", `{"keys":[`+one+`],"owner":`+hers+`}`, `{"keys":[`+two+`],"owner":`+anothers+`}`, ""),
	Entry("changes when the keys go", `{"keys":[`+one+`],"owner":`+hers+`}`, `{"keys":null,"owner":`+anothers+`}`, ""),
	Entry("changes without keys", `{"owner":`+hers+`}`, `{"owner":null}`, ""),
)

var _ = Describe("The id of a user", func() {
	It("is set once, except by a user who restores backups", func(ctx SpecContext) {
		name := newName(ctx, "identity")
		createAdmin(ctx, stack.Namespace, name, v1alpha1.AdminUserSpec{})
		DeferCleanup(func(ctx SpecContext) { deleteAdmin(ctx, stack.Namespace, name) })
		operator, user := installed.Account(ctx, "keywright-operator"), adminUser(stack.Namespace, name)
		Expect(writeStatus(ctx, operator, user, `{"id":"first"}`)).To(Succeed())
		Expect(writeStatus(ctx, operator, user, `{"id":"first","secretName":"x"}`)).To(Succeed())
		expectRefusal(writeStatus(ctx, operator, user, `{"id":"second"}`), keepsID)
		expectRefusal(writeStatus(ctx, operator, user, `{"id":null}`), keepsID)
		who := person(ctx, stack.Namespace, statusOf("adminusers"), restoring)
		expectRefusal(writeStatus(ctx, who, user, `{"id":"restored"}`), "")
	})
})

var _ = Describe("A rotation of a key whose user is gone", func() {
	const ready = `{"conditions":[{"type":"Ready","status":"False","reason":"OwnerGone","message":"m",` +
		`"lastTransitionTime":"2030-01-01T00:00:00Z"}]}`
	request := func(value string) string {
		return `{"metadata":{"annotations":{"keywright.dev/rotate":` + value + `}}}`
	}
	gone := func(ctx context.Context, status string) *v1alpha1.APIKey {
		GinkgoHelper()
		key := made(ctx, v1alpha1.APIKeySpec{Subject: alice})
		Expect(merge(ctx, plane.Client, key, request(`"before"`))).To(Succeed())
		Expect(writeStatus(ctx, plane.Client, key, status)).To(Succeed())
		return key
	}

	It("needs use of the user", func(ctx SpecContext) {
		key, editor := gone(ctx, ready), person(ctx, team, editing)
		expectRefusal(merge(ctx, editor, key, request(`"now"`)), takesOver)
		expectRefusal(merge(ctx, editor, key, request(`"before"`)), "")
		expectRefusal(merge(ctx, editor, key, `{"spec":{"description":"d","state":"Disabled"}}`), "")
		expectRefusal(merge(ctx, editor, key, request("null")), "")
		expectRefusal(merge(ctx, editor, key, request(`"before"`)), takesOver)
		user := rbacv1.PolicyRule{APIGroups: group, Resources: []string{"users"}, ResourceNames: []string{"alice"},
			Verbs: []string{"use"}}
		expectRefusal(merge(ctx, person(ctx, team, editing, user), key, request(`"now"`)), "")
	})

	It("is free for the server, which checks its callers itself, in every namespace", func(ctx SpecContext) {
		server := installed.Account(ctx, "keywright-server")
		expectRefusal(merge(ctx, server, gone(ctx, ready), request(`"now"`)), "")
		impostor := "system:serviceaccount:" + team + ":keywright-server"
		bind(ctx, impostor, "ClusterRole", newClusterRole(ctx, editing), team)
		awaitRules(ctx, impostor, team, rules{editing})
		expectRefusal(merge(ctx, as(impostor), gone(ctx, ready), request(`"now"`)), takesOver)
	})

	It("is free while the user is present", func(ctx SpecContext) {
		expectRefusal(merge(ctx, person(ctx, team, editing), gone(ctx, `{"secretName":"x"}`), request(`"now"`)), "")
	})
})
