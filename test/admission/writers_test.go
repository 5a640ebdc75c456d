package admission

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

const (
	noStatus = "may not write a status, which decides which keys are accepted: needs verb restore on " +
		"keys.keywright.dev in namespace "
	noClaim = "may not set or change annotation keywright.dev/claim-until, which is for objects with a claim link: " +
		"needs verb restore on keys.keywright.dev in namespace "
	noMark = "may not set, change or remove label keywright.dev/created-by, which marks the objects of the API: needs " +
		"verb restore on keys.keywright.dev in namespace "
)

var (
	restoring = rbacv1.PolicyRule{APIGroups: group, Resources: []string{"keys"}, Verbs: []string{"restore"}}
	everyVerb = rbacv1.PolicyRule{APIGroups: group, Resources: []string{"apikeys", "apikeys/status"},
		Verbs: []string{"*"}}
	aCondition = client.RawPatch("application/merge-patch+json", []byte(`{"status":{"secretName":"x"}}`))
)

var _ = Describe("A status", func() {
	It("is not written by a user with every verb on it", func(ctx SpecContext) {
		who, key := person(ctx, team, everyVerb), made(ctx, v1alpha1.APIKeySpec{Subject: ci})
		expectRefusal(who.Status().Patch(ctx, key.DeepCopy(), aCondition), noStatus+team)
		expectRefusal(who.Status().Update(ctx, key.DeepCopy()), noStatus+team)
		applied := client.RawPatch("application/apply-patch+yaml",
			[]byte(`{"apiVersion":"keywright.dev/v1alpha1","kind":"APIKey","status":{"secretName":"x"}}`))
		expectRefusal(who.Status().Patch(ctx, key.DeepCopy(), applied, client.FieldOwner("who")), noStatus+team)
	})

	It("of an AdminUser is not written by its editor either", func(ctx SpecContext) {
		name := newName(ctx, "status")
		createAdmin(ctx, stack.Namespace, name, v1alpha1.AdminUserSpec{})
		DeferCleanup(func(ctx SpecContext) { deleteAdmin(ctx, stack.Namespace, name) })
		who := person(ctx, stack.Namespace, statusOf("adminusers"))
		expectRefusal(who.Status().Patch(ctx, adminUser(stack.Namespace, name), aCondition), noStatus+stack.Namespace)
	})

	It("is written by a user who restores backups, in their namespace", func(ctx SpecContext) {
		key := made(ctx, v1alpha1.APIKeySpec{Subject: ci})
		expectRefusal(person(ctx, team, everyVerb, restoring).Status().Patch(ctx, key.DeepCopy(), aCondition), "")

		user := newName(ctx, "elsewhere")
		bind(ctx, user, "ClusterRole", newClusterRole(ctx, everyVerb), team)
		bind(ctx, user, "ClusterRole", newClusterRole(ctx, restoring), other)
		awaitRules(ctx, user, team, []rbacv1.PolicyRule{everyVerb})
		awaitRules(ctx, user, other, []rbacv1.PolicyRule{restoring})
		expectRefusal(as(user).Status().Patch(ctx, key.DeepCopy(), aCondition), noStatus+team)
	})

	It("is written by the operator", func(ctx SpecContext) {
		operator := installed.Account(ctx, "keywright-operator")
		key := made(ctx, v1alpha1.APIKeySpec{Subject: ci})
		expectRefusal(operator.Status().Patch(ctx, key.DeepCopy(), aCondition), "")
	})

	It("is not written by an account of the same name in another namespace", func(ctx SpecContext) {
		for _, account := range []string{"keywright-operator", "keywright-server"} {
			user := "system:serviceaccount:" + other + ":" + account
			role := newClusterRole(ctx, everyVerb)
			bind(ctx, user, "ClusterRole", role, team)
			awaitRules(ctx, user, team, []rbacv1.PolicyRule{everyVerb})
			key := made(ctx, v1alpha1.APIKeySpec{Subject: ci})
			patch := client.RawPatch("application/merge-patch+json",
				[]byte(`{"status":{"usage":{"lastUsedAt":"2030-01-01T00:00:00Z"}}}`))
			expectRefusal(as(user).Status().Patch(ctx, key.DeepCopy(), patch), noStatus+team)
		}
	})
})

var _ = Describe("The mark of the API", func() {
	marked := func() *v1alpha1.APIKey {
		key := apiKey(team, "", v1alpha1.APIKeySpec{Subject: ci})
		key.GenerateName = "marked-"
		key.Labels = map[string]string{v1alpha1.LabelCreatedBy: v1alpha1.CreatedByAPI}
		return key
	}

	It("is not set by a user who creates or edits an object", func(ctx SpecContext) {
		who := person(ctx, team, editing, useCI)
		expectRefusal(who.Create(ctx, marked()), noMark+team)
		other := marked()
		other.Labels[v1alpha1.LabelCreatedBy] = "me"
		expectRefusal(who.Create(ctx, other), noMark+team)
		other.Labels[v1alpha1.LabelCreatedBy] = ""
		expectRefusal(who.Create(ctx, other), noMark+team)
		key := made(ctx, v1alpha1.APIKeySpec{Subject: ci})
		expectRefusal(merge(ctx, who, key, `{"metadata":{"labels":{"keywright.dev/created-by":"api"}}}`), noMark+team)
		expectRefusal(merge(ctx, who, key, `{"metadata":{"labels":{"keywright.dev/created-by":""}}}`), noMark+team)
		expectRefusal(merge(ctx, who, key, `{"metadata":{"annotations":{"keywright.dev/created-by":"api"}}}`), "")
	})

	DescribeTable("is not changed or removed by an editor, who may edit what else there is",
		func(ctx SpecContext, patch, want string) {
			key := marked()
			Expect(plane.Client.Create(ctx, key)).To(Succeed())
			expectRefusal(merge(ctx, person(ctx, team, editing, useCI), key, patch), want)
		},
		Entry("changed", `{"metadata":{"labels":{"keywright.dev/created-by":"me"}}}`, noMark+team),
		Entry("emptied", `{"metadata":{"labels":{"keywright.dev/created-by":""}}}`, noMark+team),
		Entry("removed", `{"metadata":{"labels":{"keywright.dev/created-by":null}}}`, noMark+team),
		Entry("all labels removed", `{"metadata":{"labels":null}}`, noMark+team),
		Entry("labelled otherwise", `{"metadata":{"labels":{"a":"b"}}}`, ""),
		Entry("described", `{"spec":{"description":"d"}}`, ""),
	)

	It("of an AdminUser is not set by its author", func(ctx SpecContext) {
		who := person(ctx, stack.Namespace, use("users"),
			rbacv1.PolicyRule{APIGroups: group, Resources: []string{"adminusers"}, Verbs: []string{"create"}})
		user := adminUser(stack.Namespace, "marked")
		user.Labels = map[string]string{v1alpha1.LabelCreatedBy: v1alpha1.CreatedByAPI}
		expectRefusal(who.Create(ctx, user, client.DryRunAll), noMark+stack.Namespace)
	})

	It("is set, changed and removed by a user who restores backups", func(ctx SpecContext) {
		who := person(ctx, team, editing, useCI, restoring)
		key := marked()
		expectRefusal(who.Create(ctx, key), "")
		expectRefusal(merge(ctx, who, key, `{"metadata":{"labels":{"keywright.dev/created-by":"me"}}}`), "")
		expectRefusal(merge(ctx, who, key, `{"metadata":{"labels":{"keywright.dev/created-by":null}}}`), "")
	})

	It("is not set by the operator", func(ctx SpecContext) {
		operator := installed.Account(ctx, "keywright-operator")
		key := made(ctx, v1alpha1.APIKeySpec{Subject: ci})
		expectRefusal(merge(ctx, operator, key, `{"metadata":{"labels":{"keywright.dev/created-by":"api"}}}`), noMark+team)
	})
})

var _ = Describe("The annotation of an object with a claim link", func() {
	const until = `{"metadata":{"annotations":{"keywright.dev/claim-until":"2030-01-01T00:00:00Z"}}}`

	It("is not set by a user who creates or edits an object", func(ctx SpecContext) {
		who := person(ctx, team, editing, useCI)
		annotated := apiKey(team, newName(ctx, "claim"), v1alpha1.APIKeySpec{Subject: ci})
		annotated.Annotations = map[string]string{v1alpha1.AnnotationClaimUntil: ""}
		expectRefusal(who.Create(ctx, annotated), noClaim+team)
		expectRefusal(merge(ctx, who, made(ctx, v1alpha1.APIKeySpec{Subject: ci}), until), noClaim+team)
	})

	It("is not changed, and may be removed, by an editor", func(ctx SpecContext) {
		who, key := person(ctx, team, editing, useCI), made(ctx, v1alpha1.APIKeySpec{Subject: ci})
		Expect(merge(ctx, plane.Client, key, until)).To(Succeed())
		expectRefusal(merge(ctx, who, key, `{"metadata":{"annotations":{"keywright.dev/claim-until":"x"}}}`), noClaim+team)
		expectRefusal(merge(ctx, who, key, `{"spec":{"description":"d"}}`), "")
		expectRefusal(merge(ctx, who, key, `{"metadata":{"annotations":{"keywright.dev/claim-until":null}}}`), "")
	})

	It("is restored from a backup", func(ctx SpecContext) {
		who := person(ctx, team, editing, useCI, restoring)
		expectRefusal(merge(ctx, who, made(ctx, v1alpha1.APIKeySpec{Subject: ci}), until), "")
	})

	It("is not set by the operator", func(ctx SpecContext) {
		operator := installed.Account(ctx, "keywright-operator")
		expectRefusal(merge(ctx, operator, made(ctx, v1alpha1.APIKeySpec{Subject: ci}), until), noClaim+team)
	})
})

// warnings collects what the API server warns about.
type warnings []string

func (w *warnings) HandleWarningHeader(_ int, _, text string) { *w = append(*w, text) }

var _ = DescribeTable("A manifest with delivery Response is accepted with a warning",
	func(ctx SpecContext, delivery v1alpha1.Delivery, want types.GomegaMatcher) {
		var seen warnings
		config := rest.CopyConfig(plane.Admin)
		config.WarningHandler = &seen
		c, err := client.New(config, client.Options{Scheme: plane.Client.Scheme()})
		Expect(err).NotTo(HaveOccurred())
		Expect(tryCreate(ctx, c, team, v1alpha1.APIKeySpec{Subject: ci, Delivery: delivery})).To(Succeed())
		Expect([]string(seen)).To(want)
	},
	Entry("", v1alpha1.DeliveryResponse, ConsistOf(HaveSuffix(
		"delivery: Response has no key until one is issued through the API; use delivery: Secret in a manifest"))),
	Entry("and no other is", v1alpha1.DeliverySecret, BeEmpty()),
)
