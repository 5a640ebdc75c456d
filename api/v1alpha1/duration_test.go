package v1alpha1_test

import (
	"fmt"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const durationPattern = `^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$`

var (
	// copied matches a pattern of durations in a rule.
	copied = regexp.MustCompile(`\^\(\[0-9\][^']*`)
	// gatewayDuration is the pattern of GEP-2257, the duration format of the Gateway API.
	gatewayDuration = regexp.MustCompile(`^(\d{1,5}(h|m|s|ms)){1,4}$`)
)

var _ = Describe("A duration", func() {
	It("has the same pattern in every rule", func() {
		copies := 0
		for _, d := range definitions() {
			for _, pattern := range patternsIn(d.schema()) {
				copies++
				Expect(pattern).To(Equal(durationPattern), d.Spec.Names.Kind)
			}
		}
		Expect(copies).To(BeNumerically(">=", 9))
	})

	It("may have any number of up to 5 digits in each unit, and is then one of GEP-2257", func(ctx SpecContext) {
		numbers := []string{"", "0", "7", "00", "12345", "99999"}
		unit := func(number, unit string) string {
			if number == "" {
				return ""
			}
			return number + unit
		}
		for _, hours := range numbers {
			for _, minutes := range numbers {
				for _, seconds := range numbers {
					value := unit(hours, "h") + unit(minutes, "m") + unit(seconds, "s")
					if value == "" {
						continue
					}
					_, err := adminUser.try(ctx, "uu", overlap(value))
					Expect(err).NotTo(HaveOccurred(), value)
					Expect(gatewayDuration.MatchString(value)).To(BeTrue(), value)
				}
			}
		}
	})

	DescribeTable("of the examples of GEP-2257 that is not in this subset is refused:",
		func(ctx SpecContext, value string) {
			_, err := adminUser.try(ctx, "uu", overlap(value))
			Expect(complaints(err)).To(ConsistOf(badOverlap(value)))
			_, err = apiKey.try(ctx, "kk", ttl(value))
			Expect(complaints(err)).To(ConsistOf(badTTL(value)))
		},
		Entry(nil, "500ms"), Entry(nil, "10s30m1h"), Entry(nil, "100ms200ms300ms"),
		Entry(nil, "1"), Entry(nil, "1m1"), Entry(nil, "1h30m10s20ms50h"), Entry(nil, "999999h"), Entry(nil, "1.5h"),
		Entry(nil, "-15m"),
	)

	DescribeTable("of the examples of GEP-2257 is accepted:", func(ctx SpecContext, value string) {
		_, err := adminUser.try(ctx, "uu", fmt.Sprintf(`{"rotation":{"overlap":%q}}`, value))
		Expect(err).NotTo(HaveOccurred())
	},
		Entry(nil, "0h"), Entry(nil, "0s"), Entry(nil, "0h0m0s"), Entry(nil, "1h"), Entry(nil, "30m"), Entry(nil, "10s"),
		Entry(nil, "2h30m"), Entry(nil, "150m"), Entry(nil, "7230s"), Entry(nil, "1h30m10s"),
	)
})

// patternsIn returns the patterns of durations in the rules of a schema and of everything below it.
func patternsIn(s schema) []string {
	var found []string
	for _, r := range s.Rules {
		found = append(found, copied.FindAllString(r.Rule, -1)...)
	}
	for _, property := range s.Properties {
		found = append(found, patternsIn(property)...)
	}
	return found
}
