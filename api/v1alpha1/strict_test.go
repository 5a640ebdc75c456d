package v1alpha1_test

import (
	"fmt"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// kubectl requests strict validation; other clients get a warning.
var _ = DescribeTable("With strict validation, as kubectl requests it, an unknown field is refused by name:",
	func(ctx SpecContext, kind, spec, field string) {
		path := filepath.Join(GinkgoT().TempDir(), "manifest.json")
		manifest := fmt.Sprintf(`{"apiVersion":"keywright.dev/v1alpha1","kind":%q,"metadata":{"name":"uu"},"spec":%s}`, kind, spec)
		Expect(os.WriteFile(path, []byte(manifest), 0o600)).To(Succeed())
		_, err := plane.Kubectl(ctx, "create", "--dry-run=server", "-f", path)
		Expect(err).To(MatchError(ContainSubstring("unknown field %q", field)))
	},
	Entry("of an AdminUser", "AdminUser", `{"rol":"user"}`, "spec.rol"),
	Entry("of an APIKey", "APIKey", ci(`{"scope":["certs.read"]}`), "spec.scope"),
	Entry("of its subject", "APIKey", `{"subject":{"kind":"User","name":"alice","namespace":"x"}}`, "spec.subject.namespace"),
	Entry("of its Secret", "APIKey", ci(`{"secret":{"data":{"url":"x"}}}`), "spec.secret.data"),
	Entry("of its policy", "APIKey", ci(`{"policy":{"version":1,"permissions":[`+effect("DENY")+`]}}`), "spec.policy.version"),
	Entry("of a condition", "AccessRole", `{"permissions":[`+where(`"stringEquals":{"p":"v"},"stringLike":{"p":"v"}`)+`]}`,
		"spec.permissions[0].condition.stringLike"),
	Entry("of an AccessRole", "AccessRole", `{"permission":[]}`, "spec.permission"),
	Entry("of the limits of an AccessRole", "AccessRole", `{"limits":{"ttl":"1h"}}`, "spec.limits.ttl"),
	Entry("of an AccessRoleBinding", "AccessRoleBinding", `{"roleRef":{"kind":"AccessRole","name":"reader"}}`,
		"spec.roleRef.kind"),
)
