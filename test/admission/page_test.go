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

	It("lets a user on call disable the key, but not remove parts that may deny", func(ctx SpecContext) {
		key := made(ctx, v1alpha1.APIKeySpec{
			Subject: ci, Roles: []v1alpha1.RoleName{"certificate-reader"}, Policy: policy(v1alpha1.EffectDeny, "certs.write"),
		})
		quoted(merge(ctx, as("oncall"), key, `{"spec":{"roles":null}}`))
		quoted(merge(ctx, as("oncall"), key, `{"spec":{"policy":null}}`))
		Expect(merge(ctx, as("oncall"), key, `{"spec":{"revoked":true}}`)).To(Succeed())
	})

	It("lets the platform team create any key anywhere", func(ctx SpecContext) {
		config := rest.CopyConfig(plane.Admin)
		config.Impersonate = rest.ImpersonationConfig{UserName: "another", Groups: []string{"platform"}}
		platform, err := client.New(config, client.Options{Scheme: plane.Client.Scheme()})
		Expect(err).NotTo(HaveOccurred())
		for _, namespace := range []string{team, other} {
			Eventually(ctx, func() error { return tryCreate(ctx, platform, namespace, rich()) }).Should(Succeed())
		}
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
