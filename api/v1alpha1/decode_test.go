package v1alpha1_test

import (
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/api/v1alpha1"
)

// One object that a client can't decode would end its list and its watch of the whole kind: nobody could log in any
// more, whoever wrote it. So whatever the API server accepts, a typed client must be able to read.
var _ = Describe("A status", func() {
	statuses := map[string]string{
		"nextRotation":       `{"nextRotation":%s}`,
		"lastUsedTime":       `{"lastUsedTime":%s}`,
		"keys.issuedAt":      `{"keys":[{"id":"x","digest":"x","issuedAt":%s}]}`,
		"keys.notAfter":      `{"keys":[{"id":"x","digest":"x","issuedAt":"2030-01-31T12:00:00Z","notAfter":%s}]}`,
		"conditions":         `{"conditions":[{"type":"Ready","status":"True","reason":"X","message":"m","lastTransitionTime":%s}]}`,
		"observedGeneration": `{"observedGeneration":%s}`,
		"conditions.observedGeneration": `{"conditions":[{"type":"Ready","status":"True","reason":"X","message":"m",` +
			`"lastTransitionTime":"2030-01-31T12:00:00Z","observedGeneration":%s}]}`,
	}
	times := []string{
		"2030-01-31T12:00:00Z", "2030-01-31t12:00:00z", "2030-01-31T12:00:00z", "2030-01-31t12:00:00Z", "2030-01-31 12:00:00Z",
		"2030-01-31T12:00:00.5Z", "2030-01-31T12:00:00,5Z", "2030-01-31T12:00:00.123456789123Z", "2030-01-31T12:00:00.Z",
		"2030-01-31T23:59:60Z", "2030-06-30T23:59:60Z", "2030-01-31T24:00:00Z", "2030-02-30T12:00:00Z", "2030-13-01T12:00:00Z",
		"2030-01-31T12:00:00+02:00", "2030-01-31T12:00:00-00:00", "2030-01-31T12:00:00+24:00", "2030-01-31T12:00:00+25:00",
		"2030-01-31T12:00:00+00:60", "2030-01-31T12:00:00+99:99", "2030-01-31T12:00:00+0200", "2030-01-31T12:00:00+02",
		"2030-01-31T12:00:00", "2030-01-31T12:00Z", "2030-01-31", "", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z",
		"9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:00", "10000-01-01T00:00:00Z", "-2030-01-31T12:00:00Z", "٢٠٣٠-01-31T12:00:00Z",
	}
	numbers := []string{"-1", "0", "1.0", "1e3", "1.5", "1e18", "1e30", "9223372036854775807", "9223372036854775808", "18446744073709551616"}

	values := slices.Concat(numbers, []string{"null", "true", "{}", "[]"})
	for _, t := range times {
		values = append(values, fmt.Sprintf("%q", t))
	}
	for field, status := range statuses {
		It("that is accepted can be read by every client: "+field, func(ctx SpecContext) {
			object := create(ctx, "probe", "")
			accepted := 0
			for _, value := range values {
				if editStatus(ctx, object, fmt.Sprintf(status, value)) == nil {
					accepted++
				}
				Expect(plane.Client.List(ctx, &v1alpha1.AdminUserList{})).To(Succeed(), "after status %s was written", fmt.Sprintf(status, value))
			}
			Expect(accepted).To(BeNumerically(">", 1), "something has been tried")
		})
	}

	It("with a time that Go can't read is refused with its field", func(ctx SpecContext) {
		object := create(ctx, "probe", "")
		Expect(complaints(editStatus(ctx, object, `{"nextRotation":"2030-01-31t12:00:00z"}`))).To(
			ConsistOf(And(HavePrefix("status.nextRotation: "), ContainSubstring("2030-01-31t12:00:00z"))))
	})
})
