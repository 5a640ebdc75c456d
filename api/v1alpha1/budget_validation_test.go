package v1alpha1_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// budgeted is a kind with budgets.
type budgeted struct {
	kind
	// field is the path of the list.
	field string
	// spec returns a spec with these budgets, each as JSON.
	spec func(budgets ...string) string
}

var budgetedKinds = []budgeted{
	{apiKey, "spec.budgets", func(budgets ...string) string {
		return ci(`{"budgets":[` + strings.Join(budgets, ",") + `]}`)
	}},
	{accessRole, "spec.limits.budgets", func(budgets ...string) string {
		return `{"limits":{"budgets":[` + strings.Join(budgets, ",") + `]}}`
	}},
}

func usd(amount string) string { return fmt.Sprintf(`{"name":"b","usd":%q,"period":"Day"}`, amount) }

func tokens(number string) string { return `{"name":"b","tokens":` + number + `,"period":"Day"}` }

func budgetName(name string) string {
	return fmt.Sprintf(`{"name":%q,"tokens":1,"period":"Day"}`, name)
}

const (
	usdForm    = "must be an amount above 0 such as 50 or 0.25, with up to 9 digits before the point and 9 after it"
	nameForm   = "must be lower case letters, digits and '-', a letter or digit first and last"
	oneOfUnits = "exactly one of the fields in [usd tokens] must be set"
)

var _ = Describe("The budgets", func() {
	for _, b := range budgetedKinds {
		badUSD := func(amount string) string {
			return fmt.Sprintf("%s[0].usd: Invalid value: %q: %s", b.field, amount, usdForm)
		}
		badTokens := func(number, rule string) string {
			return fmt.Sprintf("%[1]s[0].tokens: Invalid value: %[2]s: %[1]s[0].tokens in body should be %[3]s",
				b.field, number, rule)
		}
		badName := func(name string) string {
			return fmt.Sprintf("%s[0].name: Invalid value: %q: %s", b.field, name, nameForm)
		}
		DescribeTable("of an "+b.name+" are refused, with one sentence for each mistake:",
			func(ctx SpecContext, budgets []string, want string) {
				_, err := b.try(ctx, "bb", b.spec(budgets...))
				Expect(complaints(err)).To(ConsistOf(want))
			},
			Entry("no dollars", []string{usd("0")}, badUSD("0")),
			Entry("no dollars with decimals", []string{usd("0.000000000")}, badUSD("0.000000000")),
			Entry("negative dollars", []string{usd("-1")}, badUSD("-1")),
			Entry("signed dollars", []string{usd("+1")}, badUSD("+1")),
			Entry("10 decimals", []string{usd("1.0000000001")}, badUSD("1.0000000001")),
			Entry("10 digits", []string{usd("1000000000")}, badUSD("1000000000")),
			Entry("a leading zero", []string{usd("01")}, badUSD("01")),
			Entry("no digit before the point", []string{usd(".5")}, badUSD(".5")),
			Entry("no digit after the point", []string{usd("5.")}, badUSD("5.")),
			Entry("an exponent", []string{usd("1e3")}, badUSD("1e3")),
			Entry("a suffix", []string{usd("1k")}, badUSD("1k")),
			Entry("a currency", []string{usd("$5")}, badUSD("$5")),
			Entry("a comma", []string{usd("1,5")}, badUSD("1,5")),
			Entry("NaN", []string{usd("NaN")}, badUSD("NaN")),
			Entry("empty dollars", []string{usd("")}, badUSD("")),
			Entry("a blank", []string{usd(" 1")}, badUSD(" 1")),
			Entry("other digits", []string{usd("\u0661")}, badUSD("\u0661")),
			Entry("too long", []string{usd("1." + strings.Repeat("0", 18))},
				b.field+"[0].usd: Too long: may not be more than 19 bytes"),
			Entry("dollars as a number", []string{`{"name":"b","usd":5,"period":"Day"}`}, fmt.Sprintf(
				`%[1]s[0].usd: Invalid value: "integer": %[1]s[0].usd in body must be of type string: "integer"`, b.field)),
			Entry("no tokens", []string{tokens("0")},
				badTokens("0", "greater than or equal to 1")),
			Entry("negative tokens", []string{tokens("-1")},
				badTokens("-1", "greater than or equal to 1")),
			Entry("too many tokens", []string{tokens("1000000000000001")},
				badTokens("1000000000000001", "less than or equal to 1000000000000000")),
			Entry("tokens as text", []string{tokens(`"5"`)}, fmt.Sprintf(
				`%[1]s[0].tokens: Invalid value: "string": %[1]s[0].tokens in body must be of type integer: "string"`, b.field)),
			Entry("both units", []string{`{"name":"b","usd":"1","tokens":1,"period":"Day"}`},
				b.field+"[0]: Invalid value: "+oneOfUnits),
			Entry("no unit", []string{`{"name":"b","period":"Day"}`}, b.field+"[0]: Invalid value: "+oneOfUnits),
			Entry("no period", []string{`{"name":"b","usd":"1"}`}, b.field+"[0].period: Required value"),
			Entry("another period", []string{`{"name":"b","usd":"1","period":"Week"}`},
				b.field+`[0].period: Unsupported value: "Week": supported values: "Hour", "Day", "Month"`),
			Entry("another action", []string{`{"name":"b","usd":"1","period":"Day","action":"deny"}`},
				b.field+`[0].action: Unsupported value: "deny": supported values: "Deny", "Warn"`),
			Entry("no name", []string{`{"usd":"1","period":"Day"}`}, b.field+"[0].name: Required value"),
			Entry("an empty name", []string{budgetName("")}, badName("")),
			Entry("a name in capitals", []string{budgetName("Daily")}, badName("Daily")),
			Entry("a name with a hyphen at its end", []string{budgetName("daily-")}, badName("daily-")),
			Entry("a name with a dot", []string{budgetName("a.b")}, badName("a.b")),
			Entry("a name too long", []string{budgetName(strings.Repeat("a", 64))},
				b.field+"[0].name: Too long: may not be more than 63 bytes"),
			Entry("one name twice", []string{budgetName("a"), budgetName("a")},
				b.field+`[1]: Duplicate value: {"name":"a"}`),
			Entry("five", []string{budgetName("a"), budgetName("b"), budgetName("c"), budgetName("d"), budgetName("e")},
				b.field+": Too many: 5: must have at most 4 items"),
		)

		DescribeTable("of an "+b.name+" are accepted:", func(ctx SpecContext, budgets ...string) {
			_, err := b.try(ctx, "bb", b.spec(budgets...))
			Expect(err).NotTo(HaveOccurred())
		},
			Entry("none"),
			Entry("the smallest", usd("0.000000001")),
			Entry("the largest", usd("999999999.999999999")),
			Entry("whole dollars", usd("10")),
			Entry("trailing zeros", usd("12.50")),
			Entry("one token", tokens("1")),
			Entry("the most tokens", tokens("1000000000000000")),
			Entry("four", budgetName("a"), budgetName("0"), budgetName("a-b"), budgetName(strings.Repeat("a", 63))),
		)

		It("of an "+b.name+" deny unless they say otherwise", func(ctx SpecContext) {
			stored, err := b.try(ctx, "bb", b.spec(`{"name":"b","usd":"1","period":"Month"}`))
			Expect(err).NotTo(HaveOccurred())
			list, _, err := unstructured.NestedSlice(stored.Object, strings.Split(b.field, ".")...)
			Expect(err).NotTo(HaveOccurred())
			Expect(list).To(Equal([]any{map[string]any{"name": "b", "usd": "1", "period": "Month", "action": "Deny"}}))
		})
	}
})
