package management

import (
	"maps"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("A repricing", func() {
	It("replies with what it changed, and is recorded unless it is a dry run", func(ctx SpecContext) {
		const reprice, audit = usagePath + "/reprice", "/api/admin/audit?action=usage.reprice&outcome=done"
		r := admin().send(ctx, http.MethodPost, reprice, `{"since":"2100-01-01","dry_run":true}`)
		Expect(r.status).To(Equal(200), r.text)
		Expect(r.at("dry_run")).To(BeTrue())
		Expect(admin().send(ctx, http.MethodGet, audit, "").text).NotTo(ContainSubstring("2100-01-01"))
		r = admin().send(ctx, http.MethodPost, reprice, `{"since":"2100-01-01"}`)
		Expect(r.status).To(Equal(200), r.text)
		Expect(r.text).To(MatchJSON(
			`{"records":0,"changed":0,"cost_before_usd":0,"cost_after_usd":0,"dry_run":false}`))
		eventually(ctx, func() string { return admin().send(ctx, http.MethodGet, audit, "").text }).
			Should(ContainSubstring("since 2100-01-01T00:00:00Z: 0 of 0 records changed"))
		Expect(admin().send(ctx, http.MethodPost, reprice, `{}`).status).To(Equal(400))
		made := admin().send(ctx, http.MethodPost, "/apiv1/accounts/reprice/apikeys", `{"name":"x","scopes":["usage.write"]}`)
		reporter := at(s.ServerURL).key(made.string("data", "token"))
		Expect(reporter.send(ctx, http.MethodPost, reprice, `{"since":"2100-01-01"}`).status).To(Equal(403))
	})

	It("uses the prices of now for the time of each call", func(ctx SpecContext) {
		const reprice = usagePath + "/reprice"
		record := func(calls string) {
			GinkgoHelper()
			r := admin().send(ctx, http.MethodPost, "/api/token-usage", calls)
			Expect(r.status).To(Equal(200), r.text)
		}
		costs := func() (all []any) {
			for _, one := range admin().send(ctx, http.MethodGet, usagePath+"/p-job", "").at("records").([]any) {
				all = append(all, one.(map[string]any)["cost_usd"])
			}
			return all
		}
		const call = `{"ai_provider":"p-acme","ai_model":"p-large","job_id":"p-job","input_tokens":1000000,"output_tokens":0,`
		record("[" + call + `"created_at":"2019-01-01T00:00:00Z"},` + call + `"created_at":"2021-01-01T00:00:00Z"},` +
			call + `"created_at":"2022-01-01T00:00:00Z","cost_usd":7}]`)
		Expect(costs()).To(Equal([]any{nil, nil, 7.0}))

		DeferCleanup(func(ctx SpecContext) { setPrices(ctx, "") })
		setPrices(ctx, `
- {provider: p-acme, model: p-large, input: 2, output: 8}
- {provider: p-acme, model: p-large, from: 2020-01-01, input: 3, output: 12}
`)
		eventually(ctx, func() any {
			return admin().send(ctx, http.MethodPost, reprice, `{"since":"2019-01-01","dry_run":true}`).at("changed")
		}).Should(BeEquivalentTo(2))
		Expect(costs()).To(Equal([]any{nil, nil, 7.0}))
		changed := admin().send(ctx, http.MethodPost, reprice, `{"since":"2019-01-01"}`)
		Expect([]any{changed.at("changed"), changed.at("cost_before_usd"), changed.at("cost_after_usd")}).
			To(Equal([]any{2.0, 0.0, 5.0}), changed.text)
		Expect(costs()).To(Equal([]any{2.0, 3.0, 7.0}))
		report := admin().send(ctx, http.MethodGet, usagePath+"?ai_provider=p-acme", "")
		Expect(report.at("total_cost_usd")).To(Equal(12.0), report.text)
		Expect(admin().send(ctx, http.MethodPost, reprice, `{"since":"2019-01-01"}`).at("changed")).To(BeEquivalentTo(0))

		record(call + `"created_at":"2023-01-01T00:00:00Z"}`)
		Expect(costs()).To(Equal([]any{2.0, 3.0, 7.0, 3.0}))
	})
})

// setPrices sets PRICES, and leaves the other settings.
func setPrices(ctx SpecContext, value string) {
	GinkgoHelper()
	Expect(s.EditConfiguration(ctx, func(present map[string]string) map[string]string {
		edited := maps.Clone(present)
		delete(edited, "PRICES")
		if value != "" {
			edited["PRICES"] = value
		}
		return edited
	})).To(Succeed())
}
