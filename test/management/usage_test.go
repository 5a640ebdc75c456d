package management

import (
	"fmt"
	"net/http"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
)

// usageCalls are reported once, however often they are sent.
const usageCalls = `[
	{"id":"m1","created_at":"2021-05-01T10:00:00Z","job_id":"m-job","ai_provider":"m-acme","ai_model":"large",
	 "input_tokens":100,"output_tokens":50,"cost_usd":0.25,"duration_ms":7},
	{"id":"m2","created_at":"2021-05-02T10:00:00Z","job_id":"m-job","ai_provider":"m-acme","ai_model":"large",
	 "input_tokens":1,"output_tokens":2}]`

const (
	usagePath  = "/api/admin/token-usage"
	tracesPath = "/v1/traces"
)

var _ = Describe("Token usage", func() {
	It("is recorded by a key, and outlives it in reports", func(ctx SpecContext) {
		made := admin().send(ctx, http.MethodPost, "/apiv1/accounts/m-app/apikeys",
			`{"name":"m-reporter","scopes":["usage.write"]}`)
		Expect(made.status).To(Equal(201), made.text)
		app := at(s.ServerURL).key(made.string("data", "token"))
		Expect(app.send(ctx, http.MethodPost, "/api/token-usage", usageCalls).text).To(Equal(`{"stored":2}` + "\n"))
		Expect(app.send(ctx, http.MethodPost, "/api/token-usage", usageCalls).text).To(Equal(`{"stored":0}` + "\n"))
		Expect(app.send(ctx, http.MethodGet, usagePath, "").status).To(Equal(403))
		bad := app.send(ctx, http.MethodPost, "/api/token-usage", `[{"ai_model":"x"}]`)
		Expect([]any{bad.status, bad.at("detail")}).To(Equal([]any{422, "record 0: input_tokens: is required"}))
		Expect(at(s.ServerURL).send(ctx, http.MethodPost, "/api/token-usage", usageCalls).status).To(Equal(401))

		Expect(admin().send(ctx, http.MethodDelete, "/apiv1/accounts/m-app/apikeys/"+made.string("data", "id"), "").status).
			To(Equal(200))
		Expect(app.send(ctx, http.MethodPost, "/api/token-usage", usageCalls).status).To(Equal(401))
		report := admin().send(ctx, http.MethodGet, usagePath+"?ai_provider=m-acme&group_by=owner", "")
		Expect(report.status).To(Equal(200), report.text)
		Expect(report.at("total_cost_usd")).To(Equal(0.25))
		Expect(report.text).To(ContainSubstring(`"group_key":"Account/m-app"`))
		Expect(admin().send(ctx, http.MethodGet, usagePath+"?group_by=year", "").status).To(Equal(422))

		job := admin().send(ctx, http.MethodGet, usagePath+"/m-job", "")
		Expect(job.at("records")).To(HaveLen(2), job.text)
		Expect(admin().send(ctx, http.MethodGet, usagePath+"/none", "").status).To(Equal(404))
		summary := admin().send(ctx, http.MethodGet, usagePath+"/summary", "")
		Expect(summary.status).To(Equal(200), summary.text)
		export := admin().send(ctx, http.MethodGet, usagePath+"/export?ai_provider=m-acme", "")
		Expect(strings.Count(export.text, "\n")).To(Equal(3), export.text)
	})

	It("counts once what is sent to two replicas at once", func(ctx SpecContext) {
		var all sync.WaitGroup
		one, other := replicas()
		for i := range 10 {
			for _, url := range []string{one, other} {
				all.Go(func() {
					defer GinkgoRecover()
					const call = `{"id":"both%s","ai_provider":"both","ai_model":"x","input_tokens":1,"output_tokens":0}`
					body := fmt.Sprintf("["+call+","+call+"]", fmt.Sprint("-", i), "")
					Expect(admin().at(url).send(ctx, http.MethodPost, "/api/token-usage", body).status).To(Equal(200))
				})
			}
		}
		all.Wait()
		report := admin().send(ctx, http.MethodGet, usagePath+"?ai_provider=both", "")
		Expect(report.at("total_calls")).To(BeEquivalentTo(11), report.text)
	})

	It("is recorded from spans, once for both replicas", func(ctx SpecContext) {
		const span = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f11",` +
			`"spanId":"%s","startTimeUnixNano":"1620000000000000000","attributes":[` +
			`{"key":"gen_ai.provider.name","value":{"stringValue":"spans"}},` +
			`{"key":"gen_ai.usage.input_tokens","value":{"intValue":"7"}}]}]}]}]}`
		call, without := fmt.Sprintf(span, "0102030405060708"), fmt.Sprintf(span, "0000000000000000")
		one, other := replicas()
		for _, url := range []string{one, other, one} {
			got := admin().at(url).send(ctx, http.MethodPost, tracesPath, call)
			Expect([]any{got.status, got.text}).To(Equal([]any{200, "{}"}))
		}
		rejected := admin().send(ctx, http.MethodPost, tracesPath, without)
		Expect([]any{rejected.status, rejected.at("partialSuccess", "rejectedSpans")}).To(Equal([]any{200, "1"}))
		Expect(admin().send(ctx, http.MethodPost, tracesPath, "[").status).To(Equal(400))
		Expect(at(s.ServerURL).send(ctx, http.MethodPost, tracesPath, call).status).To(Equal(401))
		Expect(admin().send(ctx, http.MethodGet, tracesPath, "").status).To(Equal(405))
		report := admin().send(ctx, http.MethodGet, usagePath+"?ai_provider=spans", "")
		Expect([]any{report.at("total_calls"), report.at("total_input_tokens")}).To(BeEquivalentTo([]any{1.0, 7.0}))
	})

	It("uses up a budget at both replicas", func(ctx SpecContext) {
		role := &v1alpha1.AccessRole{
			ObjectMeta: metav1.ObjectMeta{Name: "m-budgeted"},
			Spec: v1alpha1.AccessRoleSpec{
				Permissions: []v1alpha1.Permission{
					{Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{"usage.write"}, Resources: []v1alpha1.Resource{"*"}},
				},
				Limits: &v1alpha1.Limits{Budgets: []v1alpha1.Budget{{Name: "m-month", Tokens: 5, Period: v1alpha1.BudgetMonth}}},
			},
		}
		Expect(s.Client.Create(ctx, role)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(s.Client.Delete(ctx, role)).To(Succeed()) })
		made := admin().send(ctx, http.MethodPost, "/apiv1/accounts/m-budgeted/apikeys",
			`{"name":"m-budgeted","roles":["m-budgeted"]}`)
		Expect(made.status).To(Equal(201), made.text)
		token := made.string("data", "token")
		one, other := replicas()
		Expect(kit.AuthStatus(ctx, one, token)).To(Equal(200))

		const call = `{"ai_provider":"m-budgeted","ai_model":"x","input_tokens":3,"output_tokens":2}`
		Expect(at(one).key(token).send(ctx, http.MethodPost, "/api/token-usage", call).status).To(Equal(200))
		Expect(kit.AuthStatus(ctx, one, token)).To(Equal(429))
		eventually(ctx, func() int { return kit.AuthStatus(ctx, other, token) }).Should(Equal(429))
		listed := admin().send(ctx, http.MethodGet, "/api/admin/budgets", "")
		Expect(listed.status).To(Equal(200), listed.text)
		Expect(listed.text).To(ContainSubstring("m-month"))
		Expect(admin().send(ctx, http.MethodGet, "/api/admin/budgets?limit=0", "").status).To(Equal(400))
	})
})
