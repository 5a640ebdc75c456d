package alerts

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// minutes is how long the alerts are evaluated: longer than any of them waits.
const minutes = 60

// fault is what an alert is about.
type fault struct {
	// change turns the metrics of the samples into those of the fault.
	change func(all []series) []series
	// labels of the alert, "name: value", beside severity; and its summary.
	labels  []string
	summary string
	// minutes is how long the fault is played if that is not the usual time.
	minutes int
}

const (
	server   = "instance: server"
	aDayAnd  = 24*60 + 30
	refusals = "0+6x1440 9240+600x60"
)

// faults has one for each alert.
var faults = map[string]fault{
	"KeywrightKeyExpiresSoon": {
		change: set(24*3600, "keywright_next_expiry_seconds", "kind", "APIKey"),
		labels: []string{"kind: APIKey"}, summary: "A key of an APIKey ends in 1d 0h 0m 0s.",
	},
	"KeywrightNoKey": {
		change: set(1, "keywright_keys", "kind", "APIKey", "state", "pending"),
		labels: []string{"kind: APIKey"}, summary: "1 objects of kind APIKey have no accepted key.",
	},
	"KeywrightStalled": {
		change: set(1, "keywright_stalled_objects", "kind", "AdminUser"),
		labels: []string{"kind: AdminUser"}, summary: "1 objects of kind AdminUser wait for a person.",
	},
	"KeywrightRotationOverdue": {
		change: set(-1000, "keywright_next_rotation_seconds", "kind", "APIKey"),
		labels: []string{"kind: APIKey"}, summary: "A scheduled rotation of an APIKey is 16m 40s overdue.",
	},
	"KeywrightOperatorDown": {
		change: without("operator"), labels: []string{"program: operator"}, summary: "Prometheus finds no operator.",
	},
	"KeywrightNoLeader": {
		change:  set(0, "leader_election_master_status", "name", "keywright-operator"),
		summary: "No operator is the leader.",
	},
	"KeywrightWritesFail": {
		change:  with("0+1x60", "controller_runtime_reconcile_errors_total", "controller", "apikey"),
		labels:  []string{"controller: apikey"},
		summary: "The operator's apikey controller fails again and again.",
	},
	"KeywrightServerDown": {
		change: without("server"), labels: []string{"program: server"},
		summary: "Prometheus finds no server: gateways refuse every request.",
	},
	"KeywrightServerNotReady": {
		change: set(0, "keywright_ready"), labels: []string{server}, summary: "A server is not ready.",
	},
	"KeywrightRequestsUndecided": {
		change: with("0+1x60", "keywright_decisions_total", "outcome", "stale"),
		labels: []string{"outcome: stale"}, summary: "Requests are answered with 503: stale.",
	},
	"KeywrightRefusalsJump": {
		change:  with(refusals, "keywright_decisions_total", "outcome", "unauthenticated"),
		summary: "10 requests a second are refused, five times as many as yesterday.", minutes: aDayAnd,
	},
	"KeywrightDecisionsSlow": {
		change: slow, labels: []string{"surface: auth"},
		summary: "One in a hundred decisions for auth takes 496ms or longer.",
	},
	"KeywrightViewIsOld": {
		change: set(301, "keywright_index_age_seconds"), labels: []string{server},
		summary: "The newest view of a server is 5m 1s old.",
	},
	"KeywrightPepperMissing": {
		change: set(3, "keywright_keys_unknown_pepper"), labels: []string{server},
		summary: "3 keys are refused because their pepper is not mounted.",
	},
	"KeywrightConfigurationsDiffer": {
		change:  set(1, "keywright_configuration_refused"),
		summary: "Not every server runs the newest configuration.",
	},
	"KeywrightDatabaseAway": {
		change: set(0, "keywright_database_up"), labels: []string{server},
		summary: "A server cannot use its database.",
	},
	"KeywrightCertificateEndsSoon": {
		change: set(24*3600, "keywright_tls_certificate_end_seconds", "instance", "server"), labels: []string{server},
		summary: "The certificate of a server ends in 23h 0m 0s.",
	},
	"KeywrightVolumeAlmostFull": {
		change: set(1, "keywright_database_volume_free_bytes"), labels: []string{server},
		summary: "The volume of a server's database has 1% left.",
	},
	"KeywrightRevokedKeysUnread": {
		change: set(0, "keywright_revoked_keys_loaded"), labels: []string{server},
		summary: "A server has not read the revoked keys from its database.",
	},
	"KeywrightAuditTrailIsFull": {
		change: with("0+1x60", "keywright_database_rows_removed_total",
			"table", "audit", "reason", "excess"),
		summary: "60 entries of the audit trail were removed within an hour to make room.",
	},
	"KeywrightAuditEntriesDropped": {
		change: with("0+1x60", "keywright_audit_dropped_total"), labels: []string{server},
		summary: "15 entries did not reach the audit trail within a quarter of an hour.",
	},
}

var _ = Describe("An alert", func() {
	It("does not fire for the keys of the README and the samples", func(ctx SpecContext) {
		Expect(play(ctx, group{
			Name: "the samples", Interval: "1m", Series: inputs(measured), ExprTests: firing(minutes),
		})).To(Succeed())
	}, SpecTimeout(5*time.Minute))

	It("does not fire for as many refusals as on the day before", func(ctx SpecContext) {
		steady := with("0+600x1500", "keywright_decisions_total", "outcome", "unauthenticated")
		Expect(play(ctx, group{
			Name: "refusals", Interval: "1m", Series: inputs(steady(slices.Clone(refused()))),
			ExprTests: firing(aDayAnd),
		})).To(Succeed())
	}, SpecTimeout(5*time.Minute))

	It("fires for its fault, and no other does", func(ctx SpecContext) {
		var groups []group
		for name, f := range faults {
			groups = append(groups, f.group(name))
		}
		Expect(play(ctx, groups...)).To(Succeed())
	}, SpecTimeout(5*time.Minute))

	It("has a fault in this table", func() {
		var named []string
		for _, r := range alerts() {
			named = append(named, r.Alert)
		}
		Expect(slices.Collect(maps.Keys(faults))).To(ConsistOf(named))
	})
})

// group plays the fault, and expects this alert and no other.
func (f fault) group(name string) group {
	GinkgoHelper()
	of, end := measured, minutes
	if f.minutes > 0 {
		of, end = refused(), f.minutes
	}
	i := slices.IndexFunc(alerts(), func(r rule) bool { return r.Alert == name })
	Expect(i).To(BeNumerically(">=", 0), "no alert %s", name)
	want := expected{
		Labels: map[string]string{"severity": alerts()[i].Labels["severity"]},
		Annotations: map[string]string{
			"summary": f.summary, "runbook_url": "https://keywright.dev/docs/runbooks/" + name + ".md",
		},
	}
	for _, label := range f.labels {
		key, value, _ := strings.Cut(label, ": ")
		want.Labels[key] = value
	}
	return group{
		Name: name, Interval: "1m", Series: inputs(f.change(slices.Clone(of))), ExprTests: firing(end, name),
		AlertTests: []alertTest{{EvalTime: at(end), Name: name, Expected: []expected{want}}},
	}
}

// refused are the few metrics that a comparison with the day before needs.
func refused() []series {
	kept := slices.DeleteFunc(slices.Clone(measured), func(s series) bool {
		return s.Labels["__name__"] != "keywright_decisions_total" && s.Labels["__name__"] != "keywright_build_info"
	})
	for i := range kept {
		kept[i].Values = strings.Replace(kept[i].Values, fmt.Sprintf("x%d", minutes), "x1500", 1)
	}
	return kept
}

func inputs(all []series) (found []input) {
	for i := range all {
		found = append(found, all[i].toInput())
	}
	return found
}

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

// set gives a series another value. There may be no such series yet.
func set(value float64, name string, labels ...string) func([]series) []series {
	return with(constant(value), name, labels...)
}

// without removes the series of a program.
func without(instance string) func([]series) []series {
	return func(all []series) []series {
		return slices.DeleteFunc(all, func(s series) bool { return s.Labels["instance"] == instance })
	}
}

// slow has decisions that take up to half a second.
func slow(all []series) []series {
	for i, s := range all {
		if s.Labels["__name__"] == "keywright_decision_seconds_bucket" && s.Labels["surface"] == "auth" {
			all[i].Values = constant(0)
			if slices.Contains([]string{"0.5", "1", "5", "+Inf"}, s.Labels["le"]) {
				all[i].Values = "0+60x60"
			}
		}
	}
	return all
}

// with gives a series other values, in the notation of promtool.
func with(values, name string, labels ...string) func([]series) []series {
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
