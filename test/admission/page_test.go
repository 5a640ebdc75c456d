package admission

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// page returns docs/admission.md.
func page() string {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(plane.Root, "docs", "admission.md"))
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

var fence = regexp.MustCompile("(?s)\n```(yaml|text)\n(.*?\n)```\n")

// blocks returns the code blocks of a language.
func blocks(language string) (all []string) {
	GinkgoHelper()
	for _, match := range fence.FindAllStringSubmatch(page(), -1) {
		if match[1] == language {
			all = append(all, match[2])
		}
	}
	Expect(all).NotTo(BeEmpty())
	return all
}

// manifests returns the objects of the page's YAML blocks.
func manifests() (all []*unstructured.Unstructured) {
	GinkgoHelper()
	for _, block := range blocks("yaml") {
		decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(block), len(block))
		for {
			object := &unstructured.Unstructured{}
			err := decoder.Decode(object)
			if errors.Is(err, io.EOF) {
				break
			}
			Expect(err).NotTo(HaveOccurred())
			all = append(all, object)
		}
	}
	return all
}

// memberOf returns a client of a user in this group.
func memberOf(name string) client.Client {
	GinkgoHelper()
	config := rest.CopyConfig(plane.Admin)
	config.Impersonate = rest.ImpersonationConfig{UserName: "another", Groups: []string{name}}
	c, err := client.New(config, client.Options{Scheme: plane.Client.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return c
}

// apply does what kubectl apply --server-side does.
func apply(ctx context.Context, c client.Client, object *unstructured.Unstructured) error {
	return c.Apply(ctx, client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.FieldOwner("reader"))
}

var _ = Describe("The page on admission", Ordered, func() {
	var example *unstructured.Unstructured
	seen := map[string]bool{}
	// quoted expects a refusal whose message is on the page.
	quoted := func(err error) {
		GinkgoHelper()
		message := refusal(err)
		Expect(blocks("text")).To(ContainElement(ContainSubstring(message + "\n")))
		seen[message] = true
	}

	BeforeAll(func(ctx SpecContext) {
		for _, object := range manifests() {
			if object.GetKind() == "APIKey" {
				example = object
				continue
			}
			Expect(apply(ctx, plane.Client, object)).To(Succeed(), "%s %s", object.GetKind(), object.GetName())
		}
		for user, name := range map[string]string{"dana": "ci-keys", "oncall": "stop-keys"} {
			role := &rbacv1.Role{}
			Expect(plane.Client.Get(ctx, client.ObjectKey{Namespace: team, Name: name}, role)).To(Succeed())
			awaitRules(ctx, user, team, role.Rules)
		}
		role := &rbacv1.Role{}
		Expect(plane.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: "manage-admins"}, role)).To(Succeed())
		awaitRules(ctx, "erin", stack.Namespace, role.Rules)
	})

	It("lets Dana create the key that it shows", func(ctx SpecContext) {
		Expect(apply(ctx, as("dana"), example)).To(Succeed())
	})

	It("quotes the refusals of another key", func(ctx SpecContext) {
		for _, spec := range []v1alpha1.APIKeySpec{
			{Subject: ci, Scopes: []v1alpha1.Scope{"certs.admin"}},
			{Subject: ci, Roles: []v1alpha1.RoleName{"root"}},
			{Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "alice"}},
			{Subject: ci, Policy: policy(v1alpha1.EffectAllow, "*")},
		} {
			quoted(tryCreate(ctx, as("dana"), team, spec))
		}
	})

	It("lets a user on call stop the key, but not remove parts that may deny", func(ctx SpecContext) {
		key := made(ctx, v1alpha1.APIKeySpec{
			Subject: ci, Roles: []v1alpha1.RoleName{"certificate-reader"}, Policy: policy(v1alpha1.EffectDeny, "certs.write"),
		})
		quoted(merge(ctx, as("oncall"), key, `{"spec":{"roles":null}}`))
		quoted(merge(ctx, as("oncall"), key, `{"spec":{"policy":null}}`))
		Expect(merge(ctx, as("oncall"), key, `{"spec":{"state":"Revoked"}}`)).To(Succeed())
	})

	It("quotes what a user on call may not do to a key", func(ctx SpecContext) {
		key := made(ctx, v1alpha1.APIKeySpec{
			Subject: ci, TTL: new(v1alpha1.Duration("24h")),
			Budgets: []v1alpha1.Budget{{Name: "daily", USD: "10", Period: v1alpha1.BudgetDay}},
		})
		Expect(merge(ctx, as("oncall"), key, `{"spec":{"state":"Disabled"}}`)).To(Succeed())
		for _, spec := range []string{
			`{"ttl":null}`, `{"state":"Active"}`, `{"rotation":{"overlap":"1h"}}`, `{"rotation":{"every":"1h"}}`,
			`{"secret":{"name":"another"}}`, `{"budgets":null}`,
		} {
			quoted(merge(ctx, as("oncall"), key, `{"spec":`+spec+`}`))
		}
	})

	It("lets the platform team create any key anywhere", func(ctx SpecContext) {
		platform := memberOf("platform")
		for _, namespace := range []string{team, other} {
			Eventually(ctx, func() error { return tryCreate(ctx, platform, namespace, rich()) }).Should(Succeed())
		}
	})

	It("lets Erin manage AdminUsers, and quotes the refusals of a user without use", func(ctx SpecContext) {
		erin, editor := as("erin"), person(ctx, stack.Namespace, editingAdmins)
		quoted(editor.Create(ctx, adminUser(stack.Namespace, "mallory")))
		bob := adminUser(stack.Namespace, "bob")
		bob.Spec = v1alpha1.AdminUserSpec{Role: v1alpha1.RoleUser, State: v1alpha1.StateDisabled}
		Expect(erin.Create(ctx, bob)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { deleteAdmin(ctx, stack.Namespace, "bob") })
		quoted(editor.Delete(ctx, bob.DeepCopy()))
		for _, spec := range []string{`{"role":"admin"}`, `{"state":"Active"}`, `{"secret":{"name":"another"}}`} {
			patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":`+spec+`}`))
			quoted(editor.Patch(ctx, bob.DeepCopy(), patch))
			Expect(erin.Patch(ctx, bob.DeepCopy(), patch)).To(Succeed())
		}
	})

	It("lets a team bind its role, and quotes the refusals of a user without use", func(ctx SpecContext) {
		binder, editor := memberOf("certificate-team"), everywhere(ctx, editingBindings)
		binding := roleBinding("readers", "certificate-reader")
		quoted(editor.Create(ctx, binding.DeepCopy()))
		Eventually(ctx, func() error { return binder.Create(ctx, binding) }).Should(Succeed())
		patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"apiKeys":"Denied"}}`))
		quoted(editor.Patch(ctx, binding.DeepCopy(), patch))
		Expect(binder.Patch(ctx, binding.DeepCopy(), patch)).To(Succeed())
		quoted(editor.Delete(ctx, binding))
		Expect(binder.Delete(ctx, binding)).To(Succeed())
	})

	It("has a command that lists what Dana may use, unlike the question for one name", func(ctx SpecContext) {
		Expect(page()).To(ContainSubstring("kubectl auth can-i --list -n team-a --as=dana\n"))
		list, err := plane.Kubectl(ctx, "auth", "can-i", "--list", "-n", team, "--as=dana")
		Expect(err).NotTo(HaveOccurred())
		Expect(list).To(MatchRegexp(`(?m)^accounts\.keywright\.dev +\[\] +\[ci\] +\[use\]`))
		Expect(may(ctx, "dana", "use", "accounts", team, "ci")).To(BeTrue())
		// kubectl drops the group of a resource type that the server does not have.
		answer, _ := plane.Kubectl(ctx, "auth", "can-i", "use", "accounts.keywright.dev/ci", "-n", team, "--as=dana")
		Expect(strings.TrimSpace(answer)).To(Equal("no"))
	})

	It("quotes the refusals of the last admin and of an AdminUser elsewhere", func(ctx SpecContext) {
		createAdmin(ctx, stack.Namespace, "alice", v1alpha1.AdminUserSpec{})
		DeferCleanup(func(ctx SpecContext) { deleteAdmin(ctx, stack.Namespace, "alice") })
		markLast(ctx, stack.Namespace, "alice")
		quoted(plane.Client.Delete(ctx, adminUser(stack.Namespace, "alice")))
		quoted(editAdmin(ctx, stack.Namespace, "alice", demote))
		quoted(editAdmin(ctx, stack.Namespace, "alice", disable))
		quoted(plane.Client.Create(ctx, adminUser(team, "stray"), client.DryRunAll))
	})

	It("quotes the refusals of transitions", func(ctx SpecContext) {
		key := made(ctx, v1alpha1.APIKeySpec{Subject: ci, State: v1alpha1.StateRevoked})
		for _, spec := range []string{`{"subject":{"name":"cd"}}`, `{"delivery":"Response"}`, `{"state":"Active"}`,
			`{"secret":{"type":"example.com/t"}}`} {
			quoted(merge(ctx, plane.Client, key, `{"spec":`+spec+`}`))
		}
		createAdmin(ctx, stack.Namespace, "bob", v1alpha1.AdminUserSpec{})
		DeferCleanup(func(ctx SpecContext) { deleteAdmin(ctx, stack.Namespace, "bob") })
		quoted(editAdmin(ctx, stack.Namespace, "bob", `{"spec":{"username":"Dave"}}`))
		quoted(editAdmin(ctx, stack.Namespace, "bob", `{"spec":{"delivery":"Response"}}`))
		binding := newRoleBinding(ctx)
		quoted(plane.Client.Patch(ctx, binding.DeepCopy(),
			client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"roleRef":{"name":"another"}}}`))))
	})

	It("lets the backup tool restore, and quotes the refusals of other writers", func(ctx SpecContext) {
		key := made(ctx, v1alpha1.APIKeySpec{Subject: ci})
		mark := `{"metadata":{"labels":{"keywright.dev/created-by":"api"}}}`
		who := person(ctx, team, everyVerb)
		quoted(who.Status().Patch(ctx, key.DeepCopy(), aCondition))
		quoted(merge(ctx, who, key, mark))
		quoted(merge(ctx, who, key, `{"metadata":{"annotations":{"keywright.dev/claim-until":"x"}}}`))

		backup := as("system:serviceaccount:backup:backup")
		Eventually(ctx, func() error { return backup.Status().Patch(ctx, key.DeepCopy(), aCondition) }).Should(Succeed())
		Expect(merge(ctx, backup, key, mark)).To(Succeed())
		restored := apiKey(team, newName(ctx, "restored"), rich())
		restored.Labels = map[string]string{v1alpha1.LabelCreatedBy: v1alpha1.CreatedByAPI}
		Expect(backup.Create(ctx, restored)).To(Succeed())
	})

	It("quotes the refusals on whose a key is", func(ctx SpecContext) {
		operator := installed.Account(ctx, "keywright-operator")
		key := made(ctx, v1alpha1.APIKeySpec{Subject: alice})
		Expect(writeStatus(ctx, operator, key, `{"keys":[`+one+`],"owner":`+hers+`,"conditions":[{"type":"Ready",`+
			`"status":"False","reason":"OwnerGone","message":"m","lastTransitionTime":"2030-01-01T00:00:00Z"}]}`)).To(Succeed())
		quoted(writeStatus(ctx, operator, key, `{"owner":`+anothers+`}`))
		quoted(merge(ctx, person(ctx, team, editing), key, `{"metadata":{"annotations":{"keywright.dev/rotate":"now"}}}`))
		createAdmin(ctx, stack.Namespace, "bob", v1alpha1.AdminUserSpec{})
		DeferCleanup(func(ctx SpecContext) { deleteAdmin(ctx, stack.Namespace, "bob") })
		user := adminUser(stack.Namespace, "bob")
		Expect(writeStatus(ctx, operator, user, `{"id":"first"}`)).To(Succeed())
		quoted(writeStatus(ctx, operator, user, `{"id":"second"}`))
	})

	It("quotes no message that the policies do not have", func() {
		for line := range strings.Lines(strings.Join(blocks("text"), "")) {
			Expect(seen).To(HaveKey(strings.TrimSpace(line)))
		}
	})

	DescribeTable("has a row for every",
		func(ctx SpecContext, kind, selector string) {
			names, err := plane.Kubectl(ctx, "get", kind, "--output=jsonpath={.items[*].metadata.name}",
				"--selector=app.kubernetes.io/name=keywright"+selector)
			Expect(err).NotTo(HaveOccurred())
			Expect(strings.Fields(names)).NotTo(BeEmpty())
			for _, name := range strings.Fields(names) {
				Expect(page()).To(ContainSubstring("| `" + name + "` |"))
			}
		},
		Entry("policy", "validatingadmissionpolicies", ""),
		Entry("aggregated ClusterRole", "clusterroles", ",rbac.authorization.k8s.io/aggregate-to-admin=true"),
	)
})
