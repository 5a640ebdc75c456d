package alerts

import (
	"context"
	"maps"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// fault changes the metrics of the samples into those of a fault.
type fault func(all []series) []series

// faults has one for each documented alert.
var faults = map[string]fault{
	"KeywrightKeyExpiresSoon":   set(24*3600, "keywright_next_expiry_seconds", "kind", "APIKey"),
	"KeywrightNoKey":            set(1, "keywright_keys", "kind", "APIKey", "state", "pending"),
	"KeywrightStalled":          set(1, "keywright_stalled_objects", "kind", "AdminUser"),
	"KeywrightViewIsOld":        set(301, "keywright_index_age_seconds"),
	"KeywrightDatabaseAway":     set(0, "keywright_database_up"),
	"KeywrightVolumeAlmostFull": set(1, "keywright_database_volume_free_bytes"),
	"KeywrightAuditTrailIsFull": rise(
		"keywright_database_rows_removed_total", "table", "audit", "reason", "excess"),
	"KeywrightConfigurationsDiffer": set(1, "keywright_configuration_refused"),
	"KeywrightWritesFail":           rise("controller_runtime_reconcile_errors_total", "controller", "apikey"),
}

var _ = Describe("An alert", func() {
	It("does not fire for the keys of the README and the samples", func(ctx SpecContext) {
		Expect(firing(ctx, measured)).To(BeEmpty())
	}, SpecTimeout(5*time.Minute))

	for name, change := range faults {
		It("fires for its fault, and no other does: "+name, func(ctx SpecContext) {
			Expect(slices.Collect(maps.Keys(firing(ctx, change(slices.Clone(measured)))))).To(ConsistOf(name))
		}, SpecTimeout(5*time.Minute))
	}

	It("has a fault in this table", func(context.Context) {
		var named []string
		for _, r := range rules {
			named = append(named, r.Alert)
		}
		Expect(slices.Collect(maps.Keys(faults))).To(ConsistOf(named))
	})
})

// find returns the index of the series with this name and these labels, and whether there is one.
func find(all []series, name string, labels ...string) (int, bool) {
	i := slices.IndexFunc(all, func(one series) bool {
		for j := 0; j < len(labels); j += 2 {
			if one.Labels[labels[j]] != labels[j+1] {
				return false
			}
		}
		return one.Labels["__name__"] == name
	})
	return i, i >= 0
}

// value returns a value of the samples.
func value(name string, labels ...string) float64 {
	GinkgoHelper()
	i, found := find(measured, name, labels...)
	Expect(found).To(BeTrue(), "no series %s %v", name, labels)
	return measured[i].Values[0]
}

// set gives a series another value. There may be no such series yet.
func set(value float64, name string, labels ...string) fault {
	return with(constant(value), name, labels...)
}

// rise lets a counter grow each minute.
func rise(name string, labels ...string) fault {
	values := make([]float64, minutes+1)
	for i := range values {
		values[i] = float64(i)
	}
	return with(values, name, labels...)
}

func with(values []float64, name string, labels ...string) fault {
	return func(all []series) []series {
		if i, found := find(all, name, labels...); found {
			all[i].Values = values
			return all
		}
		added := series{Labels: map[string]string{"__name__": name, "instance": "operator"}, Values: values}
		for j := 0; j < len(labels); j += 2 {
			added.Labels[labels[j]] = labels[j+1]
		}
		return append(all, added)
	}
}
