package v1alpha1_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// table splits the output of kubectl into rows and columns, which are at least two spaces apart and never empty.
func table(ctx SpecContext, args ...string) [][]string {
	GinkgoHelper()
	out, err := plane.Kubectl(ctx, args...)
	Expect(err).NotTo(HaveOccurred())
	var rows [][]string
	for line := range strings.Lines(out) {
		rows = append(rows, cells(line))
	}
	return rows
}

func cells(line string) []string {
	var found []string
	for cell := range strings.SplitSeq(strings.TrimSpace(line), "  ") {
		if cell = strings.TrimSpace(cell); cell != "" {
			found = append(found, cell)
		}
	}
	return found
}

const columnStatus = `{"observedGeneration":1,"secretName":"nightly-api-key","nextRotationAt":"2030-01-15T12:00:00Z",
	"keys":[{"id":"0123456789abcdef","prefix":"ak_123456789","digest":"hmac-sha256:a:00","state":"Current","issuedAt":"2030-01-01T12:00:00Z","expiresAt":"2030-01-31T12:00:00Z"},
		{"id":"fedcba9876543210","prefix":"ak_987654321","digest":"hmac-sha256:a:01","state":"Overlapping","issuedAt":"2029-01-01T12:00:00Z","expiresAt":"2030-01-01T13:00:00Z"}],
	"usage":{"lastUsedAt":"2030-01-02T12:00:00Z"},
	"conditions":[
		{"type":"Ready","status":"True","reason":"Issued","message":"All is well.","lastTransitionTime":"2030-01-01T12:00:00Z"},
		{"type":"Active","status":"False","reason":"Disabled","message":"m","lastTransitionTime":"2030-01-01T12:00:00Z"}]}`

var _ = Describe("kubectl get", func() {
	It("shows an APIKey", func(ctx SpecContext) {
		key := apiKey.create(ctx, "nightly", ci(`{"scopes":["certs.read"],"roles":["reader"]}`))
		Expect(editStatus(ctx, key, columnStatus)).To(Succeed())

		rows := table(ctx, "get", "ak", "-n", "default")
		Expect(rows[0]).To(Equal([]string{"NAME", "KIND", "SUBJECT", "READY", "ACTIVE", "STATUS", "EXPIRES", "SECRET",
			"AGE"}))
		Expect(rows[1][:8]).To(Equal([]string{"nightly", "Account", "ci", "True", "False", "Disabled", "2030-01-31T12:00:00Z",
			"nightly-api-key"}))

		rows = table(ctx, "get", "apikey", "nightly", "-n", "default", "-o", "wide")
		Expect(rows[0]).To(Equal([]string{"NAME", "KIND", "SUBJECT", "READY", "ACTIVE", "STATUS", "EXPIRES", "SECRET",
			"SCOPES", "ROLES", "KEY", "NEXT ROTATION", "LAST USED", "REASON", "MESSAGE", "AGE"}))
		Expect(rows[1][8:12]).To(Equal([]string{`["certs.read"]`, `["reader"]`, "ak_123456789", "2030-01-15T12:00:00Z"}))
		Expect(rows[1][13:15]).To(Equal([]string{"Issued", "All is well."}))
	})

	It("shows an AdminUser", func(ctx SpecContext) {
		user := adminUser.create(ctx, "nightly", username("Night.Watch"))
		Expect(editStatus(ctx, user, columnStatus)).To(Succeed())

		rows := table(ctx, "get", "au", "-n", stack.Namespace)
		Expect(rows[0]).To(Equal([]string{"NAME", "ROLE", "READY", "ACTIVE", "STATUS", "SECRET", "AGE"}))
		Expect(rows[1][:6]).To(Equal([]string{"nightly", "admin", "True", "False", "Disabled", "nightly-api-key"}))

		rows = table(ctx, "get", "adminuser", "nightly", "-n", stack.Namespace, "-o", "wide")
		Expect(rows[0]).To(Equal([]string{"NAME", "ROLE", "READY", "ACTIVE", "STATUS", "SECRET", "KEY", "USERNAME",
			"LAST USED", "REASON", "MESSAGE", "AGE"}))
		Expect(rows[1][6:8]).To(Equal([]string{"ak_123456789", "Night.Watch"}))
		Expect(rows[1][9:11]).To(Equal([]string{"Issued", "All is well."}))
	})

	It("shows an AccessRole", func(ctx SpecContext) {
		accessRole.create(ctx, "reader", `{"description":"Reads certificates","limits":{"maxTTL":"720h"}}`)
		rows := table(ctx, "get", "arole", "reader")
		Expect(rows[0]).To(Equal([]string{"NAME", "MAX TTL", "DESCRIPTION", "AGE"}))
		Expect(rows[1][:3]).To(Equal([]string{"reader", "720h", "Reads certificates"}))
	})

	It("shows an AccessRoleBinding", func(ctx SpecContext) {
		accessRoleBinding.create(ctx, "readers", users("alice", "bob"))
		rows := table(ctx, "get", "arolebinding", "readers")
		Expect(rows[0]).To(Equal([]string{"NAME", "ROLE", "API KEYS", "AGE"}))
		Expect(rows[1][:3]).To(Equal([]string{"readers", "reader", "Allowed"}))
		rows = table(ctx, "get", "arolebinding", "readers", "-o", "wide")
		Expect(rows[1]).To(ContainElement(`[{"kind":"User","name":"alice"},{"kind":"User","name":"bob"}]`))
	})

	It("shows the whole category", func(ctx SpecContext) {
		apiKey.in("keywright-system").create(ctx, "one", ci("{}"))
		accessRole.create(ctx, "two", "")
		accessRoleBinding.create(ctx, "three", bound("{}"))
		adminUser.create(ctx, "four", "")
		out, err := plane.Kubectl(ctx, "get", "keywright", "-o", "name")
		Expect(err).NotTo(HaveOccurred())
		Expect(strings.Fields(out)).To(ConsistOf("apikey.keywright.dev/one", "accessrole.keywright.dev/two",
			"accessrolebinding.keywright.dev/three", "adminuser.keywright.dev/four"))
	})
})

var _ = Describe("A field selector", func() {
	// expect compares the objects that kubectl selects with names.
	expect := func(ctx SpecContext, resource, selector string, names ...string) {
		GinkgoHelper()
		out, err := plane.Kubectl(ctx, "get", resource, "-A", "--field-selector", selector,
			"-o", "jsonpath={.items[*].metadata.name}")
		Expect(err).NotTo(HaveOccurred())
		Expect(strings.Fields(out)).To(ConsistOf(names), selector)
	}

	It("selects APIKeys by subject, state, category and delivery", func(ctx SpecContext) {
		apiKey.create(ctx, "ci", ci(`{"category":"build"}`))
		apiKey.create(ctx, "alice", subject("User", "alice"))
		apiKey.create(ctx, "bob", subject("User", "bob"))
		apiKey.create(ctx, "paused", ci(`{"state":"Disabled","category":"build"}`))
		apiKey.create(ctx, "leaked", ci(`{"state":"Revoked"}`))
		apiKey.create(ctx, "returned", ci(`{"delivery":"Response"}`))
		for selector, names := range map[string][]string{
			"spec.subject.kind=User":                            {"alice", "bob"},
			"spec.subject.name=ci":                              {"ci", "paused", "leaked", "returned"},
			"spec.subject.kind=User,spec.subject.name=bob":      {"bob"},
			"spec.subject.kind=Integration":                     nil,
			"spec.subject.kind!=Account,spec.subject.name!=bob": {"alice"},
			"spec.state=Active":                                 {"ci", "alice", "bob", "returned"},
			"spec.state!=Active":                                {"paused", "leaked"},
			"spec.state=Revoked":                                {"leaked"},
			"spec.category=build":                               {"ci", "paused"},
			"spec.category=build,spec.state=Active":             {"ci"},
			"spec.delivery=Response":                            {"returned"},
		} {
			expect(ctx, "apikeys", selector, names...)
		}
	})

	It("selects AdminUsers by username and state", func(ctx SpecContext) {
		adminUser.create(ctx, "bob", username("Bob.Stone"))
		adminUser.create(ctx, "eve", `{"state":"Disabled"}`)
		for selector, names := range map[string][]string{
			"spec.username=Bob.Stone": {"bob"},
			"spec.username=bob":       nil,
			"spec.state=Disabled":     {"eve"},
			"spec.state=Active":       {"bob"},
		} {
			expect(ctx, "adminusers", selector, names...)
		}
	})

	It("works for clients of the Go API", func(ctx SpecContext) {
		apiKey.create(ctx, "ci", ci("{}"))
		apiKey.create(ctx, "off", ci(`{"state":"Disabled"}`))
		var found v1alpha1.APIKeyList
		Expect(plane.Client.List(ctx, &found, client.MatchingFields{"spec.state": "Disabled"})).To(Succeed())
		Expect(found.Items).To(ConsistOf(HaveField("Name", "off")))
	})
})
