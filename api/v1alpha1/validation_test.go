package v1alpha1_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// Sentences that people read.
const (
	reserved    = "<nil>: Invalid value: Username 'admin' is reserved"
	nameLength  = "<nil>: Invalid value: metadata.name is the username when spec.username is not set, and must then be 2-50 characters"
	everyForm   = "must be at least 1m and less than 1000000h, in hours, minutes and seconds such as 90m, 24h or 2160h"
	overlapForm = "must be less than 1000000h, in hours, minutes and seconds such as 0s, 90s, 1h30m or 24h"
	tooLate     = "spec.rotation.overlap: Invalid value: must be shorter than every"
	secretName  = "must be the name of a Secret: lower case letters, digits, '-' and '.'"
	noSchedule  = "spec.rotation.every: Invalid value: rotation.every needs delivery Secret: a key delivered in a reply is rotated through the API"
	noSecret    = "spec.secret: Invalid value: secret needs delivery Secret: with delivery Response no Secret ever holds the key"
	ourLabels   = "spec.secret.labels: Invalid value: labels under keywright.dev/ are Keywright's own"
	badLabels   = "spec.secret.labels: Invalid value: must be valid label names and values"
	ourNotes    = "spec.secret.annotations: Invalid value: annotations under keywright.dev/ are Keywright's own"
	badNotes    = "spec.secret.annotations: Invalid value: must be valid annotation names"
	sameName    = "spec.username: Invalid value: username can't be changed: delete this AdminUser and create another"
)

func username(name string) string { return fmt.Sprintf(`{"username":%q}`, name) }

func invalidUsername(name string) string {
	return "spec.username: Invalid value: Invalid username: '" + name +
		"'. Must be 2-50 alphanumeric characters, dots, hyphens, underscores, starting with a letter or digit."
}

func every(d string) string   { return fmt.Sprintf(`{"rotation":{"every":%q}}`, d) }
func overlap(d string) string { return fmt.Sprintf(`{"rotation":{"overlap":%q}}`, d) }
func both(e, o string) string { return fmt.Sprintf(`{"rotation":{"every":%q,"overlap":%q}}`, e, o) }

func badEvery(d string) string {
	return fmt.Sprintf("spec.rotation.every: Invalid value: %q: %s", d, everyForm)
}

func badOverlap(d string) string {
	return fmt.Sprintf("spec.rotation.overlap: Invalid value: %q: %s", d, overlapForm)
}

func secretNamed(name string) string { return fmt.Sprintf(`{"secret":{"name":%q}}`, name) }

func badSecretName(name string) string {
	return fmt.Sprintf("spec.secret.name: Invalid value: %q: %s", name, secretName)
}

func labels(name, value string) string      { return one("labels", name, value) }
func annotations(name, value string) string { return one("annotations", name, value) }

func one(field, name, value string) string {
	return fmt.Sprintf(`{"secret":{%q:{%q:%q}}}`, field, name, value)
}

// several is count labels or annotations with values of a length.
func several(field string, count, length int) string {
	entries := make([]string, count)
	for i := range entries {
		entries[i] = fmt.Sprintf(`"name-%d":%q`, i, strings.Repeat("x", length))
	}
	return fmt.Sprintf(`{"secret":{%q:{%s}}}`, field, strings.Join(entries, ","))
}

var _ = DescribeTable("An AdminUser is refused, with one sentence for each mistake:",
	func(ctx SpecContext, name, spec string, want ...string) {
		_, err := try(ctx, name, spec)
		Expect(complaints(err)).To(ConsistOf(want))
	},
	Entry("metadata.name of one character as the username", "a", "", nameLength),
	Entry("metadata.name of 51 characters as the username", strings.Repeat("a", 51), "", nameLength),
	Entry("metadata.name admin as the username", "admin", "", reserved),
	Entry("metadata.name too long for the Secret's name", strings.Repeat("a", 244), username("ok"),
		"<nil>: Invalid value: metadata.name must be at most 243 characters: the Secret's name is made from it"),

	Entry("username admin", "uu", username("admin"), reserved),
	Entry("username Admin", "uu", username("Admin"), reserved),
	Entry("username ADMIN", "uu", username("ADMIN"), reserved),
	Entry("username aDmIn", "uu", username("aDmIn"), reserved),
	Entry("username empty", "uu", username(""), invalidUsername("")),
	Entry("username of one character", "uu", username("a"), invalidUsername("a")),
	Entry("username of 51 characters", "uu", username(strings.Repeat("a", 51)), "spec.username: Too long: may not be more than 50 bytes"),
	Entry("username that begins with a hyphen", "uu", username("-ab"), invalidUsername("-ab")),
	Entry("username that begins with a dot", "uu", username(".ab"), invalidUsername(".ab")),
	Entry("username that begins with an underscore", "uu", username("_ab"), invalidUsername("_ab")),
	Entry("username with a space", "uu", username("a b"), invalidUsername("a b")),
	Entry("username with a quote", "uu", username("a'b"), invalidUsername("a'b")),
	Entry("username with a letter beyond ASCII", "uu", username("zoë"), invalidUsername("zoë")),
	Entry("username with a letter that folds to one of admin", "uu", username("admın"), invalidUsername("admın")),
	Entry("username with a line end, which no message repeats", "uu", username("ab\n"),
		"spec.username: Invalid value: Invalid username. Must be 2-50 alphanumeric characters, dots, hyphens, underscores, starting with a letter or digit."),

	Entry("every under a minute", "uu", every("59s"), badEvery("59s")),
	Entry("every of no time", "uu", every("0s"), badEvery("0s")),
	Entry("every negative", "uu", every("-1h"), badEvery("-1h")),
	Entry("every empty", "uu", every(""), badEvery("")),
	Entry("every without a unit", "uu", every("3600"), badEvery("3600")),
	Entry("every without a number", "uu", every("h"), badEvery("h")),
	Entry("every in days", "uu", every("30d"), badEvery("30d")),
	Entry("every with a fraction", "uu", every("1.5h"), badEvery("1.5h")),
	Entry("every in microseconds", "uu", every("60000000µs"), badEvery("60000000µs")),
	Entry("every in the wrong order", "uu", every("30s1h"), badEvery("30s1h")),
	Entry("every with a space", "uu", every(" 1h"), badEvery(" 1h")),
	Entry("every with a line end", "uu", every("1h\n"), `spec.rotation.every: Invalid value: "1h\n": `+everyForm),
	Entry("every beyond what can be counted", "uu", every("99999999999h"), badEvery("99999999999h")),
	Entry("every beyond any length", "uu", every(strings.Repeat("9", 32)+"h"), "spec.rotation.every: Too long: may not be more than 32 bytes"),
	Entry("overlap negative", "uu", overlap("-1s"), badOverlap("-1s")),
	Entry("overlap empty", "uu", overlap(""), badOverlap("")),
	Entry("overlap beyond what can be counted", "uu", overlap("99999999999h"), badOverlap("99999999999h")),
	Entry("overlap as long as every", "uu", both("1h", "60m"), tooLate),
	Entry("overlap longer than every", "uu", both("1h", "61m"), tooLate),
	Entry("both in days, and nothing else is said of them", "uu", both("30d", "1d"), badEvery("30d"), badOverlap("1d")),
	Entry("one empty, and nothing else is said of it", "uu", both("1h", ""), badOverlap("")),

	Entry("a schedule for a key delivered by the API", "uu", `{"delivery":"Response","rotation":{"every":"1h"}}`, noSchedule),
	Entry("a Secret for a key delivered by the API", "uu", `{"delivery":"Response","secret":{}}`, noSecret),

	Entry("Secret's name in capitals", "uu", secretNamed("Up"), badSecretName("Up")),
	Entry("Secret's name with an underscore", "uu", secretNamed("a_b"), badSecretName("a_b")),
	Entry("Secret's name with a hyphen at its end", "uu", secretNamed("a-"), badSecretName("a-")),
	Entry("Secret's name empty", "uu", secretNamed(""), badSecretName(""),
		`spec.secret.name: Invalid value: "": spec.secret.name in body should be at least 1 chars long`),
	Entry("Secret's name too long", "uu", secretNamed(strings.Repeat("a", 254)), "spec.secret.name: Too long: may not be more than 253 bytes"),
	Entry("the pepper's name", "uu", secretNamed("keywright-pepper"),
		`spec.secret.name: Invalid value: "keywright-pepper": Secret keywright-pepper is Keywright's own and can't hold a key`),

	Entry("a label of ours", "uu", labels("keywright.dev/issued-for", "x"), ourLabels),
	Entry("a label's name with a space", "uu", labels("a b", "x"), badLabels),
	Entry("a label's name empty", "uu", labels("", "x"), badLabels),
	Entry("a label's name with two slashes", "uu", labels("a/b/c", "x"), badLabels),
	Entry("a label's name too long", "uu", labels(strings.Repeat("a", 64), "x"), badLabels),
	Entry("a label's name of any length", "uu", labels(strings.Repeat("a", 100_000), "x"), badLabels),
	Entry("a label's value with a space", "uu", labels("a", "b c"), badLabels),
	Entry("a label's value with a hyphen at its end", "uu", labels("a", "b-"), badLabels),
	Entry("a label's value too long", "uu", labels("a", strings.Repeat("x", 64)), "spec.secret.labels.a: Too long: may not be more than 63 bytes"),
	Entry("33 labels", "uu", several("labels", 33, 1), "spec.secret.labels: Too many: 33: must have at most 32 items"),
	Entry("an annotation of ours", "uu", annotations("keywright.dev/adopt", "true"), ourNotes),
	Entry("an annotation's name with a space", "uu", annotations("a b", "x"), badNotes),
	Entry("an annotation's value too long", "uu", annotations("a", strings.Repeat("x", 4097)), "spec.secret.annotations.a: Too long: may not be more than 4096 bytes"),
	Entry("33 annotations", "uu", several("annotations", 33, 1), "spec.secret.annotations: Too many: 33: must have at most 32 items"),

	Entry("an unknown role", "uu", `{"role":"owner"}`, `spec.role: Unsupported value: "owner": supported values: "admin", "user"`),
	Entry("an empty role", "uu", `{"role":""}`, `spec.role: Unsupported value: "": supported values: "admin", "user"`),
	Entry("an unknown delivery", "uu", `{"delivery":"secret"}`, `spec.delivery: Unsupported value: "secret": supported values: "Secret", "Response"`),
	Entry("an unknown whenDeleted", "uu", `{"secret":{"whenDeleted":"Never"}}`, `spec.secret.whenDeleted: Unsupported value: "Never": supported values: "Keep", "Reissue"`),
	Entry("enabled as text", "uu", `{"enabled":"yes"}`, `spec.enabled: Invalid value: "string": spec.enabled in body must be of type boolean: "string"`),
	Entry("username as a number", "uu", `{"username":5}`, `spec.username: Invalid value: "integer": spec.username in body must be of type string: "integer"`),
	Entry("every as a number", "uu", `{"rotation":{"every":3600}}`, `spec.rotation.every: Invalid value: "integer": spec.rotation.every in body must be of type string: "integer"`),
	Entry("a label's value as a number", "uu", `{"secret":{"labels":{"a":1}}}`, `spec.secret.labels.a: Invalid value: "integer": spec.secret.labels.a in body must be of type string: "integer"`),
	Entry("the Secret as text", "uu", `{"secret":"x"}`, `spec.secret: Invalid value: "string": spec.secret in body must be of type object: "string"`),
	Entry("the spec as a list", "uu", `[]`, `spec: Invalid value: "array": spec in body must be of type object: "array"`),
)

var _ = DescribeTable("An AdminUser is accepted:",
	func(ctx SpecContext, name, spec string) {
		_, err := try(ctx, name, spec)
		Expect(err).NotTo(HaveOccurred())
	},
	Entry("metadata.name of two characters", "aa", ""),
	Entry("metadata.name of 50 characters", strings.Repeat("a", 50), ""),
	Entry("metadata.name with dots and hyphens", "a.b-c.d", ""),
	Entry("metadata.name that is a digit first", "1st", ""),
	Entry("metadata.name of any length beside a username", strings.Repeat("a", 243), username("ok")),
	Entry("metadata.name of one character beside a username", "a", username("ok")),
	Entry("metadata.name admin beside a username", "admin", username("root")),
	Entry("username of two characters", "uu", username("ab")),
	Entry("username of 50 characters", "uu", username(strings.Repeat("a", 50))),
	Entry("username of every kind of character", "uu", username("0aZ._-")),
	Entry("username that only begins with admin", "uu", username("admin1")),
	Entry("every of a minute, in seconds", "uu", every("60s")),
	Entry("every of all three units", "uu", every("1h30m15s")),
	Entry("every as Go writes it", "uu", every("2160h0m0s")),
	Entry("every at its longest", "uu", every("999999h9999999m999999999s")),
	Entry("overlap of nothing", "uu", overlap("0s")),
	Entry("overlap without a schedule", "uu", overlap("720h")),
	Entry("overlap just shorter than every", "uu", both("1m", "59s")),
	Entry("overlap for a key delivered by the API", "uu", `{"delivery":"Response","rotation":{"overlap":"1h"}}`),
	Entry("an empty rotation", "uu", `{"rotation":{}}`),
	Entry("Secret's name with dots", "uu", secretNamed("a.b-c")),
	Entry("Secret's name at its longest", "uu", secretNamed(strings.Repeat("a", 253))),
	Entry("a label of somebody who ends like us", "uu", labels("not-keywright.dev/x", "y")),
	Entry("a label with an empty value", "uu", labels("a", "")),
	Entry("a label's value at its longest", "uu", labels("a", strings.Repeat("x", 63))),
	Entry("32 labels", "uu", several("labels", 32, 63)),
	Entry("an annotation's value of several lines", "uu", annotations("a", "b c\n")),
	Entry("32 annotations at their longest", "uu", several("annotations", 32, 4096)),
)

var _ = DescribeTable("Defaults of a spec", func(ctx SpecContext, spec string, want map[string]any) {
	stored, err := try(ctx, "uu", spec)
	Expect(err).NotTo(HaveOccurred())
	Expect(stored.Object["spec"]).To(Equal(want))
},
	Entry("that is missing", "", map[string]any{"role": "admin", "enabled": true, "delivery": "Secret"}),
	Entry("that is null", "null", map[string]any{"role": "admin", "enabled": true, "delivery": "Secret"}),
	Entry("that is empty", "{}", map[string]any{"role": "admin", "enabled": true, "delivery": "Secret"}),
	Entry("with nulls", `{"role":null,"enabled":null,"delivery":null,"username":null}`, map[string]any{"role": "admin", "enabled": true, "delivery": "Secret"}),
	Entry("with a Secret", `{"secret":{}}`, map[string]any{"role": "admin", "enabled": true, "delivery": "Secret", "secret": map[string]any{"whenDeleted": "Keep"}}),
	Entry("that says otherwise", `{"role":"user","enabled":false,"delivery":"Response"}`, map[string]any{"role": "user", "enabled": false, "delivery": "Response"}),
)

var _ = Describe("An unknown field", func() {
	It("is refused by name where the client asks for it, as kubectl does", func(ctx SpecContext) {
		_, err := plane.Kubectl(ctx, "create", "--dry-run=server", "-f", "config/samples/adminuser_alice.yaml")
		Expect(err).NotTo(HaveOccurred())
		path := write(`{"apiVersion":"keywright.dev/v1alpha1","kind":"AdminUser","metadata":{"name":"uu"},"spec":{"rol":"user"}}`)
		_, err = plane.Kubectl(ctx, "create", "--dry-run=server", "-f", path)
		Expect(err).To(MatchError(ContainSubstring(`unknown field "spec.rol"`)))
	})
})

var _ = Describe("What can't be changed", func() {
	var named, unnamed *unstructured.Unstructured
	BeforeEach(func(ctx SpecContext) {
		named = create(ctx, "named", username("Alice"))
		unnamed = create(ctx, "unnamed", "")
	})

	It("is the username", func(ctx SpecContext) {
		Expect(complaints(edit(ctx, named, `{"spec":{"username":"Bob"}}`))).To(ConsistOf(sameName))
		Expect(complaints(edit(ctx, named, `{"spec":{"username":"alice"}}`))).To(ConsistOf(sameName), "its case neither")
		Expect(complaints(edit(ctx, named, `{"spec":{"username":null}}`))).To(ConsistOf(sameName))
		Expect(complaints(edit(ctx, named, `{"spec":null}`))).To(ConsistOf(sameName))
		Expect(complaints(edit(ctx, unnamed, `{"spec":{"username":"other"}}`))).To(ConsistOf(sameName))
		Expect(complaints(edit(ctx, named, `{"spec":{"username":"admin"}}`))).To(ConsistOf(sameName, reserved))
	})

	It("is not the way in which the same username is said", func(ctx SpecContext) {
		Expect(edit(ctx, unnamed, `{"spec":{"username":"unnamed"}}`)).To(Succeed())
		same := create(ctx, "same", username("same"))
		Expect(edit(ctx, same, `{"spec":{"username":null}}`)).To(Succeed())
		Expect(edit(ctx, same, `{"spec":null}`)).To(Succeed())
	})

	It("is the delivery", func(ctx SpecContext) {
		const sentence = `spec.delivery: Invalid value: "Response": delivery can't be changed`
		Expect(complaints(edit(ctx, unnamed, `{"spec":{"delivery":"Response"}}`))).To(ConsistOf(sentence))
		byAPI := create(ctx, "by-api", `{"delivery":"Response"}`)
		Expect(complaints(edit(ctx, byAPI, `{"spec":{"delivery":null}}`))).To(
			ConsistOf(`spec.delivery: Invalid value: "Secret": delivery can't be changed`), "unset is Secret")
	})

	It("is nothing else", func(ctx SpecContext) {
		Expect(edit(ctx, named, `{"spec":{"role":"user","enabled":false,"rotation":{"every":"1h"},"secret":{"name":"x","whenDeleted":"Reissue"}}}`)).To(Succeed())
		Expect(edit(ctx, named, `{"metadata":{"annotations":{"keywright.dev/rotate":"1"}}}`)).To(Succeed())
	})
})

var _ = Describe("The admission policy", func() {
	It("lets AdminUsers live at home and nowhere else", func(ctx SpecContext) {
		Expect(plane.Client.Create(ctx, manifest("default", "alice", ""))).To(MatchError(And(
			ContainSubstring("ValidatingAdmissionPolicy 'keywright-adminuser-namespace'"),
			ContainSubstring("AdminUser is honoured in namespace keywright-system only, not in default: set metadata.namespace to keywright-system"))))
		create(ctx, "alice", "")
		var all v1alpha1.AdminUserList
		Expect(plane.Client.List(ctx, &all)).To(Succeed())
		Expect(all.Items).To(ConsistOf(HaveField("Namespace", stack.Namespace)))
	})
})
