package v1alpha1_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// One object that a client cannot decode would end its list and its watch of the whole kind, and every login with
// them. So a typed client must be able to read everything that the API server accepts.
var (
	hostileTimes = []string{
		"2030-01-31T12:00:00Z", "2030-01-31t12:00:00z", "2030-01-31T12:00:00z", "2030-01-31t12:00:00Z",
		"2030-01-31 12:00:00Z",
		"2030-01-31T12:00:00.5Z", "2030-01-31T12:00:00,5Z", "2030-01-31T12:00:00.123456789123Z", "2030-01-31T12:00:00.Z",
		"2030-01-31T23:59:60Z", "2030-06-30T23:59:60Z", "2030-01-31T24:00:00Z", "2030-02-30T12:00:00Z",
		"2030-13-01T12:00:00Z",
		"2030-01-31T12:00:00+02:00", "2030-01-31T12:00:00-00:00", "2030-01-31T12:00:00+24:00", "2030-01-31T12:00:00+25:00",
		"2030-01-31T12:00:00+00:60", "2030-01-31T12:00:00+99:99", "2030-01-31T12:00:00+0200", "2030-01-31T12:00:00+02",
		"2030-01-31T12:00:00", "2030-01-31T12:00Z", "2030-01-31", "", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z",
		"9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:00", "10000-01-01T00:00:00Z",
		"-2030-01-31T12:00:00Z", "٢٠٣٠-01-31T12:00:00Z",
	}
	hostileWords = []string{
		"a", "x.y", "*", "a:b", "1h", "User", "ALLOW", "Allowed", "Secret", "Never", "Disabled", "Current", "true",
		"\x00", "\n", "\u2028", "\U0010FFFF", strings.Repeat("é", 40),
	}
	hostileJSON = []string{
		"-1", "0", "1.0", "1e3", "1.5", "1e18", "1e30", "9223372036854775807", "9223372036854775808", "18446744073709551616",
		"null", "true", "false", "{}", "[]", "[null]", "[[]]", `{"":null}`, `{"a":"b"}`, `{"a":{}}`, `["a"]`, `["x.y",null]`, `"\ud800"`,
		`{"effect":"DENY","actions":["*"],"resources":["*"]}`, `[{"effect":"DENY","actions":["*"],"resources":["*"]}]`,
		`{"kind":"User","name":"alice"}`,
	}
	hostile = slices.Concat(hostileJSON, quote(hostileTimes), quote(hostileWords))
)

func quote(words []string) []string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = fmt.Sprintf("%q", word)
		if word == "\x00" || word == "\U0010FFFF" {
			quoted[i] = map[string]string{"\x00": `"\u0000"`, "\U0010FFFF": `"\udbff\udfff"`}[word]
		}
	}
	return quoted
}

// The statuses of both kinds of key objects; %s is the hostile part.
var statuses = map[string]string{
	"whole":            `%s`,
	"nextRotationAt":   `{"nextRotationAt":%s}`,
	"revokedAt":        `{"revokedAt":%s}`,
	"effective":        `{"effective":%s}`,
	"effective.ttl":    `{"effective":{"ttl":%s}}`,
	"usage":            `{"usage":%s}`,
	"usage.lastUsedAt": `{"usage":{"lastUsedAt":%s}}`,
	"usage.refused":    `{"usage":{"refused":%s}}`,
	"usage.refused.id": `{"usage":{"refused":[{"id":%s,"reason":"X"}]}}`,
	"usage.budgets":    `{"usage":{"budgets":%s}}`,
	"usage.budgets.name": `{"usage":{"budgets":[{"name":%s,"from":"x","limit":"x","action":"Deny",` +
		`"since":"2030-01-31T12:00:00Z","resetsAt":"2030-01-31T12:00:00Z"}]}}`,
	"usage.budgets.since": `{"usage":{"budgets":[{"name":"x","from":"x","limit":"x","action":"Deny",` +
		`"since":%s,"resetsAt":"2030-01-31T12:00:00Z"}]}}`,
	"usage.budgets.resetsAt": `{"usage":{"budgets":[{"name":"x","from":"x","limit":"x","action":"Deny",` +
		`"since":"2030-01-31T12:00:00Z","resetsAt":%s}]}}`,
	"keys":                `{"keys":%s}`,
	"keys.issuedAt":       `{"keys":[{"id":"x","digest":"x","state":"Current","issuedAt":%s}]}`,
	"keys.expiresAt":      `{"keys":[{"id":"x","digest":"x","state":"Current","issuedAt":"2030-01-31T12:00:00Z","expiresAt":%s}]}`,
	"keys.state":          `{"keys":[{"id":"x","digest":"x","issuedAt":"2030-01-31T12:00:00Z","state":%s}]}`,
	"owner":               `{"owner":%s}`,
	"owner.boundAt":       `{"owner":{"id":"x","boundAt":%s}}`,
	"revokedDigests":      `{"revokedDigests":%s}`,
	"otherSecrets":        `{"otherSecrets":%s}`,
	"secretLosses":        `{"secretLosses":%s}`,
	"secretLosses.lastAt": `{"secretLosses":{"keyID":"x","count":1,"lastAt":%s}}`,
	"secretLosses.count":  `{"secretLosses":{"keyID":"x","lastAt":"2030-01-31T12:00:00Z","count":%s}}`,
	"adoptedKeyIDs":       `{"adoptedKeyIDs":%s}`,
	"conditions":          `{"conditions":[{"type":"Ready","status":"True","reason":"X","message":"m","lastTransitionTime":%s}]}`,
	"observedGeneration":  `{"observedGeneration":%s}`,
	"keys.firstIssuedAt":  `{"keys":[{"id":"x","digest":"x","state":"Current","issuedAt":"2030-01-31T12:00:00Z","firstIssuedAt":%s}]}`,
	"conditions.observedGeneration": `{"conditions":[{"type":"Ready","status":"True","reason":"X","message":"m",` +
		`"lastTransitionTime":"2030-01-31T12:00:00Z","observedGeneration":%s}]}`,
}

// The parts of each kind's spec; the object exists and is patched, %s is the hostile part.
var specs = map[kind][]string{
	adminUser: {
		`%s`, `{"role":%s}`, `{"state":%s}`, `{"rotation":%s}`, `{"rotation":{"every":%s}}`, `{"rotation":{"overlap":%s}}`,
		`{"rotation":{"after":%s}}`, `{"description":%s}`, `{"enabled":%s}`,
		`{"secret":%s}`, `{"secret":{"dataKey":%s}}`, `{"secret":{"key":%s}}`, `{"secret":{"labels":%s}}`, `{"secret":{"annotations":{"a":%s}}}`,
	},
	apiKey: {
		`%s`, `{"displayName":%s}`, `{"description":%s}`, `{"category":%s}`, `{"subject":%s}`, `{"scopes":%s}`, `{"scopes":[%s]}`,
		`{"roles":%s}`, `{"roles":[%s]}`, `{"policy":%s}`, `{"policy":{"permissions":%s}}`, `{"policy":{"permissions":[%s]}}`,
		`{"policy":{"permissions":[{"effect":%s,"actions":["*"],"resources":["*"]}]}}`,
		`{"policy":{"permissions":[{"effect":"DENY","actions":[%s],"resources":["*"]}]}}`,
		`{"policy":{"permissions":[{"effect":"DENY","actions":["*"],"resources":[%s]}]}}`,
		`{"policy":{"permissions":[{"effect":"DENY","actions":["*"],"resources":["*"],"condition":%s}]}}`,
		`{"policy":{"permissions":[{"effect":"DENY","actions":["*"],"resources":["*"],"condition":{"stringEquals":%s}}]}}`,
		`{"policy":{"permissions":[{"effect":"DENY","actions":["*"],"resources":["*"],"condition":{"stringEquals":{"a":%s}}}]}}`,
		`{"state":%s}`, `{"enabled":%s}`, `{"revoked":%s}`, `{"expiresAt":%s}`, `{"ttl":%s}`, `{"rotation":%s}`,
		`{"rotation":{"every":%s}}`, `{"rotation":{"overlap":%s}}`, `{"rotation":{"after":%s}}`, `{"secret":%s}`,
		`{"secret":{"name":%s}}`, `{"secret":{"dataKey":%s}}`, `{"secret":{"key":%s}}`, `{"secret":{"labels":%s}}`,
		`{"secret":{"annotations":{"a":%s}}}`, `{"secret":{"type":%s}}`, `{"secret":{"stringData":%s}}`,
		`{"secret":{"stringData":{"a":%s}}}`, `{"secret":{"reissuePolicy":%s}}`, `{"secret":{"deletionPolicy":%s}}`,
		`{"secret":{"whenDeleted":%s}}`,
	},
	accessRole: {
		`%s`, `{"description":%s}`, `{"permissions":%s}`, `{"permissions":[%s]}`, `{"limits":%s}`, `{"limits":{"maxTTL":%s}}`,
		`{"members":%s}`, `{"apiKeys":%s}`, `{"maxTTL":%s}`,
		`{"permissions":[{"effect":"DENY","actions":["*"],"resources":["*"],"condition":{"stringEquals":%s}}]}`,
	},
	accessRoleBinding: {
		`%s`, `{"roleRef":%s}`, `{"subjects":%s}`, `{"subjects":[%s]}`, `{"apiKeys":%s}`,
		`{"subjects":[{"kind":%s,"name":"alice"}]}`, `{"subjects":[{"kind":"User","name":%s}]}`,
	},
}

var lists = map[kind]client.ObjectList{
	adminUser: &v1alpha1.AdminUserList{}, apiKey: &v1alpha1.APIKeyList{}, accessRole: &v1alpha1.AccessRoleList{},
	accessRoleBinding: &v1alpha1.AccessRoleBindingList{},
}

var _ = Describe("Every client can read what the API server accepts:", func() {
	for holder := range lists {
		It("the spec of an "+holder.name, func(ctx SpecContext) {
			for i, spec := range specs[holder] {
				object := holder.create(ctx, fmt.Sprintf("probe-%d", i), minimal(holder))
				Expect(acceptedOf(ctx, holder, `{"spec":`+spec+`}`, func(patch string) error { return store(ctx, object, patch) })).To(
					BeNumerically(">", 0), "something of %s has been accepted", spec)
			}
		})
	}
	for _, holder := range keyHolders {
		for field, status := range statuses {
			It("status "+field+" of an "+holder.name, func(ctx SpecContext) {
				object := holder.create(ctx, "probe", minimal(holder.kind))
				Expect(acceptedOf(ctx, holder.kind, status, func(patch string) error { return editStatus(ctx, object, patch) })).To(
					BeNumerically(">", 0), "something has been tried")
			})
		}

		It("a time in the status of an "+holder.name+" that Go cannot read is refused with its field", func(ctx SpecContext) {
			object := holder.create(ctx, "probe", minimal(holder.kind))
			Expect(complaints(editStatus(ctx, object, `{"nextRotationAt":"2030-01-31t12:00:00z"}`))).To(
				ConsistOf(And(HavePrefix("status.nextRotationAt: "), ContainSubstring("2030-01-31t12:00:00z"))))
		})
	}
})

// minimal is the smallest valid spec of the kind.
func minimal(k kind) string {
	switch k {
	case apiKey:
		return ci("{}")
	case accessRoleBinding:
		return bound("{}")
	}
	return "{}"
}

// acceptedOf writes every hostile value in place of %s, reads the whole kind after each, and counts the accepted ones.
func acceptedOf(ctx context.Context, k kind, pattern string, write func(patch string) error) int {
	GinkgoHelper()
	accepted := 0
	for _, value := range hostile {
		patch := fmt.Sprintf(pattern, value)
		if write(patch) != nil {
			continue
		}
		accepted++
		Expect(plane.Client.List(ctx, lists[k])).To(Succeed(), "after %s was written", patch)
	}
	return accepted
}

// store patches an object.
func store(ctx context.Context, object *unstructured.Unstructured, patch string) error {
	return plane.Client.Patch(ctx, object.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch)))
}
