package v1alpha1_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// Refusals for all key objects.
const (
	everyForm   = "must be at least 1m, in hours, minutes and seconds of up to 5 digits such as 90m, 24h or 2160h"
	overlapForm = "must be in hours, minutes and seconds of up to 5 digits such as 0s, 90s, 1h30m or 24h"
	tooLate     = "spec.rotation.overlap: Invalid value: must be shorter than every"
	secretName  = "must be the name of a Secret: lower case letters, digits, '-' and '.'"
	noSchedule  = "spec.rotation.every: Invalid value: rotation.every needs delivery Secret: a key delivered in a reply " +
		"is rotated through the API"
	noAfter = "spec.rotation.after: Invalid value: rotation.after needs delivery Secret: a key delivered in a reply " +
		"is rotated through the API"
	noSecret = "spec.secret: Invalid value: secret needs delivery Secret: with delivery Response no Secret ever " +
		"holds the key"
	ourLabels = "spec.secret.labels: Invalid value: labels under keywright.dev/ and app.kubernetes.io/managed-by are " +
		"Keywright's own"
	badLabels = "spec.secret.labels: Invalid value: must be valid label names and values"
	ourNotes  = "spec.secret.annotations: Invalid value: annotations under keywright.dev/ are Keywright's own"
	badNotes  = "spec.secret.annotations: Invalid value: must be valid annotation names"
	entryName = "must be the name of a Secret's entry: letters, digits, '-', '_' and '.'"
)

func every(d string) string   { return fmt.Sprintf(`{"rotation":{"every":%q}}`, d) }
func overlap(d string) string { return fmt.Sprintf(`{"rotation":{"overlap":%q}}`, d) }
func after(t string) string   { return fmt.Sprintf(`{"rotation":{"after":%q}}`, t) }
func both(e, o string) string { return fmt.Sprintf(`{"rotation":{"every":%q,"overlap":%q}}`, e, o) }

// noTime is the refusal of an instant that can't be stored in UTC.
func noTime(field, t string) string {
	return fmt.Sprintf("spec.%s: Invalid value: %q: must be a time such as 2030-01-31T12:00:00Z", field, t)
}

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

func dataKey(key string) string { return fmt.Sprintf(`{"secret":{"dataKey":%q}}`, key) }

func badDataKey(key string) string {
	return fmt.Sprintf("spec.secret.dataKey: Invalid value: %q: %s", key, entryName)
}

func takenDataKey(key string) string {
	return fmt.Sprintf("spec.secret.dataKey: Invalid value: %q: entries username and subject say whom the key speaks as",
		key)
}

func labels(name, value string) string      { return one("labels", name, value) }
func annotations(name, value string) string { return one("annotations", name, value) }

func one(field, name, value string) string {
	return fmt.Sprintf(`{"secret":{%q:{%q:%q}}}`, field, name, value)
}

// several returns labels or annotations with values of a length.
func several(field string, count, length int) string {
	entries := make([]string, count)
	for i := range entries {
		entries[i] = fmt.Sprintf(`"name-%d":%q`, i, strings.Repeat("x", length))
	}
	return fmt.Sprintf(`{"secret":{%q:{%s}}}`, field, strings.Join(entries, ","))
}

// keyHolder is a kind of key object, with the required fields of its spec.
type keyHolder struct {
	kind
	spec func(shared string) string
}

var keyHolders = []keyHolder{
	{adminUser, func(shared string) string { return shared }},
	{apiKey, ci},
}

var _ = Describe("The key", func() {
	for _, holder := range keyHolders {
		DescribeTable("of an "+holder.name+" is refused with one sentence for each mistake:",
			func(ctx SpecContext, spec string, want ...string) {
				_, err := holder.try(ctx, "uu", holder.spec(spec))
				Expect(complaints(err)).To(ConsistOf(want))
			}, refusedKeys)
		DescribeTable("of an "+holder.name+" is accepted:",
			func(ctx SpecContext, spec string) {
				_, err := holder.try(ctx, "uu", holder.spec(spec))
				Expect(err).NotTo(HaveOccurred())
			}, acceptedKeys)
	}
})

var refusedKeys = []TableEntry{
	Entry("every under a minute", every("59s"), badEvery("59s")),
	Entry("every of no time", every("0s"), badEvery("0s")),
	Entry("every negative", every("-1h"), badEvery("-1h")),
	Entry("every empty", every(""), badEvery("")),
	Entry("every without a unit", every("3600"), badEvery("3600")),
	Entry("every without a number", every("h"), badEvery("h")),
	Entry("every in days", every("30d"), badEvery("30d")),
	Entry("every with a fraction", every("1.5h"), badEvery("1.5h")),
	Entry("every in microseconds", every("60000000µs"), badEvery("60000000µs")),
	Entry("every in the wrong order", every("30s1h"), badEvery("30s1h")),
	Entry("every with a space", every(" 1h"), badEvery(" 1h")),
	Entry("every with a line end", every("1h\n"), `spec.rotation.every: Invalid value: "1h\n": `+everyForm),
	Entry("every of six digits", every("100000h"), badEvery("100000h")),
	Entry("every of six digits with leading zeros", every("000001h"), badEvery("000001h")),
	Entry("every in milliseconds", every("60000ms"), badEvery("60000ms")),
	Entry("every beyond any length", every(strings.Repeat("9", 18)+"h"),
		"spec.rotation.every: Too long: may not be more than 18 bytes"),

	Entry("overlap negative", overlap("-1s"), badOverlap("-1s")),
	Entry("overlap empty", overlap(""), badOverlap("")),
	Entry("overlap of six digits", overlap("100000s"), badOverlap("100000s")),
	Entry("overlap as long as every", both("1h", "60m"), tooLate),
	Entry("overlap longer than every", both("1h", "61m"), tooLate),
	Entry("both in days, and nothing else is said of them", both("30d", "1d"), badEvery("30d"), badOverlap("1d")),
	Entry("one empty, and nothing else is said of it", both("1h", ""), badOverlap("")),
	Entry("a schedule for a key delivered by the API", `{"delivery":"Response","rotation":{"every":"1h"}}`, noSchedule),
	Entry("rotation.after for a key delivered by the API", `{"delivery":"Response","rotation":{"after":"2030-01-31T12:00:00Z"}}`, noAfter),
	Entry("after in a format that Go cannot read", after("2030-01-31t12:00:00z"),
		`spec.rotation.after: Invalid value: "string": Invalid date-time formatted string 2030-01-31t12:00:00z: parsing time `+
			`"2030-01-31t12:00:00z" as "2006-01-02T15:04:05": cannot parse "t12:00:00z" as "T" evaluating rule: must be a time such as 2030-01-31T12:00:00Z`),
	Entry("after in the year 10000", after("9999-12-31T00:00:00-24:00"),
		noTime("rotation.after", "9999-12-31T00:00:00-24:00")),
	Entry("after that is a day", after("2030-01-31"), `spec.rotation.after: Invalid value: "2030-01-31": spec.rotation.after in body must be of type date-time: "2030-01-31"`),
	Entry("a Secret for a key delivered by the API", `{"delivery":"Response","secret":{}}`, noSecret),

	Entry("Secret's name in capitals", secretNamed("Up"), badSecretName("Up")),
	Entry("Secret's name with an underscore", secretNamed("a_b"), badSecretName("a_b")),
	Entry("Secret's name with a hyphen at its end", secretNamed("a-"), badSecretName("a-")),
	Entry("Secret's name empty", secretNamed(""), badSecretName("")),
	Entry("Secret's name too long", secretNamed(strings.Repeat("a", 254)),
		"spec.secret.name: Too long: may not be more than 253 bytes"),
	Entry("the pepper's name", secretNamed("keywright-pepper"),
		`spec.secret.name: Invalid value: "keywright-pepper": Secret keywright-pepper is Keywright's own and can't hold a key`),

	Entry("data key empty", dataKey(""), badDataKey("")),
	Entry("data key with a slash", dataKey("a/b"), badDataKey("a/b")),
	Entry("data key with a space", dataKey("a b"), badDataKey("a b")),
	Entry("data key with a line end", dataKey("key\n"), `spec.secret.dataKey: Invalid value: "key\n": `+entryName),
	Entry("data key beyond ASCII", dataKey("ké"), badDataKey("ké")),
	Entry("data key of one dot", dataKey("."), badDataKey(".")),
	Entry("data key of two dots", dataKey(".."), badDataKey("..")),
	Entry("data key that begins with two dots", dataKey("..data"), badDataKey("..data")),
	Entry("data key too long", dataKey(strings.Repeat("k", 254)),
		"spec.secret.dataKey: Too long: may not be more than 253 bytes"),
	Entry("data key username", dataKey("username"), takenDataKey("username")),
	Entry("data key subject", dataKey("subject"), takenDataKey("subject")),

	Entry("a label of ours", labels("keywright.dev/issued-for", "x"), ourLabels),
	Entry("a label's name with a space", labels("a b", "x"), badLabels),
	Entry("a label's name empty", labels("", "x"), badLabels),
	Entry("a label's name with two slashes", labels("a/b/c", "x"), badLabels),
	Entry("a label's name too long", labels(strings.Repeat("a", 64), "x"), badLabels),
	Entry("a label's name of any length", labels(strings.Repeat("a", 100_000), "x"), badLabels),
	Entry("a label's value with a space", labels("a", "b c"), badLabels),
	Entry("a label's value with a hyphen at its end", labels("a", "b-"), badLabels),
	Entry("a label's value too long", labels("a", strings.Repeat("x", 64)),
		"spec.secret.labels.a: Too long: may not be more than 63 bytes"),
	Entry("33 labels", several("labels", 33, 1), "spec.secret.labels: Too many: 33: must have at most 32 items"),

	Entry("an annotation of ours", annotations("keywright.dev/adopt", "true"), ourNotes),
	Entry("an annotation's name with a space", annotations("a b", "x"), badNotes),
	Entry("an annotation's value too long", annotations("a", strings.Repeat("x", 4097)),
		"spec.secret.annotations.a: Too long: may not be more than 4096 bytes"),
	Entry("33 annotations", several("annotations", 33, 1),
		"spec.secret.annotations: Too many: 33: must have at most 32 items"),

	Entry("an unknown delivery", `{"delivery":"secret"}`, `spec.delivery: Unsupported value: "secret": supported values: "Secret", "Response"`),
	Entry("an unknown reissuePolicy", `{"secret":{"reissuePolicy":"Keep"}}`, `spec.secret.reissuePolicy: Unsupported value: "Keep": supported values: "IfLost", "Never"`),
	Entry("an unknown deletionPolicy", `{"secret":{"deletionPolicy":"Keep"}}`, `spec.secret.deletionPolicy: Unsupported value: "Keep": supported values: "Delete", "Orphan"`),
	Entry("every as a number", `{"rotation":{"every":3600}}`, `spec.rotation.every: Invalid value: "integer": spec.rotation.every in body must be of type string: "integer"`),
	Entry("a label's value as a number", `{"secret":{"labels":{"a":1}}}`, `spec.secret.labels.a: Invalid value: "integer": spec.secret.labels.a in body must be of type string: "integer"`),
	Entry("the Secret as text", `{"secret":"x"}`, `spec.secret: Invalid value: "string": spec.secret in body must be of type object: "string"`),
}

var acceptedKeys = []TableEntry{
	Entry("every of a minute, in seconds", every("60s")),
	Entry("every of all three units", every("1h30m15s")),
	Entry("every as Go writes it", every("2160h0m0s")),
	Entry("every at its longest", every("99999h99999m99999s")),
	Entry("every with leading zeros", every("00024h")),
	Entry("overlap of nothing", overlap("0s")),
	Entry("overlap without a schedule", overlap("720h")),
	Entry("overlap just shorter than every", both("1m", "59s")),
	Entry("overlap for a key delivered by the API", `{"delivery":"Response","rotation":{"overlap":"1h"}}`),
	Entry("after that is past", after("2001-01-01T00:00:00Z")),
	Entry("after beside a schedule", `{"rotation":{"every":"24h","overlap":"1h","after":"2030-01-31T12:00:00+01:00"}}`),
	Entry("an empty rotation", `{"rotation":{}}`),
	Entry("Secret's name with dots", secretNamed("a.b-c")),
	Entry("Secret's name at its longest", secretNamed(strings.Repeat("a", 253))),
	Entry("data key as registries name it", dataKey(".dockerconfigjson")),
	Entry("data key in capitals, with every kind of character", dataKey("API_KEY-1.txt")),
	Entry("data key at its longest", dataKey(strings.Repeat("k", 253))),
	Entry("data key that only begins with a taken one", dataKey("username2")),
	Entry("a label whose prefix ends like ours", labels("not-keywright.dev/x", "y")),
	Entry("a label with an empty value", labels("a", "")),
	Entry("a label's value at its longest", labels("a", strings.Repeat("x", 63))),
	Entry("32 labels", several("labels", 32, 63)),
	Entry("an annotation's value of several lines", annotations("a", "b c\n")),
	Entry("32 annotations at their longest", several("annotations", 32, 4096)),
}
