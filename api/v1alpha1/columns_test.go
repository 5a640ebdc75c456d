package v1alpha1_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
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

const columnStatus = `{"observedGeneration":1,"secretName":"nightly-api-key","nextRotation":"2030-01-15T12:00:00Z",
	"keys":[{"id":"0123456789abcdef","prefix":"ak_123456789","digest":"hmac-sha256:a:00","issuedAt":"2030-01-01T12:00:00Z","notAfter":"2030-01-31T12:00:00Z"}],
	"conditions":[
		{"type":"Ready","status":"True","reason":"Issued","message":"All is well.","lastTransitionTime":"2030-01-01T12:00:00Z"},
		{"type":"Active","status":"False","reason":"Disabled","message":"m","lastTransitionTime":"2030-01-01T12:00:00Z"}]}`

var _ = Describe("kubectl get", func() {
	It("shows an APIKey", func(ctx SpecContext) {
		key := apiKey.create(ctx, "nightly", ci(`{"scopes":["certs.read"],"roles":["reader"]}`))
		Expect(editStatus(ctx, key, columnStatus)).To(Succeed())

		rows := table(ctx, "get", "ak", "-n", "default")
		Expect(rows[0]).To(Equal([]string{"NAME", "SUBJECT", "READY", "REASON", "ACTIVE", "WHY", "EXPIRES", "SECRET", "AGE"}))
		Expect(rows[1][:8]).To(Equal([]string{"nightly", "ci", "True", "Issued", "False", "Disabled", "2030-01-31T12:00:00Z",
			"nightly-api-key"}))

		rows = table(ctx, "get", "apikey", "nightly", "-n", "default", "-o", "wide")
		Expect(rows[0]).To(Equal([]string{"NAME", "SUBJECT", "READY", "REASON", "ACTIVE", "WHY", "EXPIRES", "SECRET",
			"KIND", "SCOPES", "ROLES", "KEY", "NEXT ROTATION", "LAST USED", "MESSAGE", "AGE"}))
		Expect(rows[1][8:13]).To(Equal([]string{"Account", `["certs.read"]`, `["reader"]`, "ak_123456789", "2030-01-15T12:00:00Z"}))
		Expect(rows[1]).To(ContainElement("All is well."))
	})

	It("shows an AccessRole", func(ctx SpecContext) {
		accessRole.create(ctx, "reader", `{"description":"Reads certificates","maxTTL":"720h","members":["alice","bob"]}`)
		rows := table(ctx, "get", "arole", "reader")
		Expect(rows[0]).To(Equal([]string{"NAME", "API KEYS", "MAX TTL", "DESCRIPTION", "AGE"}))
		Expect(rows[1][:4]).To(Equal([]string{"reader", "Allowed", "720h", "Reads certificates"}))
		rows = table(ctx, "get", "arole", "reader", "-o", "wide")
		Expect(rows[1]).To(ContainElement(`["alice","bob"]`))
	})

	It("shows the whole category", func(ctx SpecContext) {
		apiKey.in("keywright-system").create(ctx, "one", ci("{}"))
		accessRole.create(ctx, "two", "")
		adminUser.create(ctx, "three", "")
		out, err := plane.Kubectl(ctx, "get", "keywright", "-o", "name")
		Expect(err).NotTo(HaveOccurred())
		Expect(strings.Fields(out)).To(ConsistOf("apikey.keywright.dev/one", "accessrole.keywright.dev/two",
			"adminuser.keywright.dev/three"))
	})
})

var _ = Describe("APIKeys", func() {
	It("can be selected by their subject", func(ctx SpecContext) {
		apiKey.create(ctx, "ci", ci("{}"))
		apiKey.create(ctx, "alice", subject("User", "alice"))
		apiKey.create(ctx, "bob", subject("User", "bob"))
		for selector, want := range map[string][]any{
			"spec.subject.kind=User":                           {"alice", "bob"},
			"spec.subject.name=ci":                             {"ci"},
			"spec.subject.kind=User,spec.subject.name=bob":     {"bob"},
			"spec.subject.kind=Integration":                    nil,
			"spec.subject.kind!=User,spec.subject.name!=other": {"ci"},
		} {
			var found v1alpha1.APIKeyList
			Expect(plane.Client.List(ctx, &found, rawFields(selector))).To(Succeed())
			var names []string
			for i := range found.Items {
				names = append(names, found.Items[i].Name)
			}
			Expect(names).To(ConsistOf(want...), selector)
		}
	})
})

func rawFields(selector string) client.ListOption {
	GinkgoHelper()
	parsed, err := fields.ParseSelector(selector)
	Expect(err).NotTo(HaveOccurred())
	return client.MatchingFieldsSelector{Selector: parsed}
}
