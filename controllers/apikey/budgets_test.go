package apikey_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
)

var _ = Describe("A key with budgets", func() {
	tokens := func(number int64, period v1alpha1.BudgetPeriod, action v1alpha1.BudgetAction) []v1alpha1.Budget {
		return []v1alpha1.Budget{{Name: "a", Tokens: number, Period: period, Action: action}}
	}
	limitedTo := func(budgets []v1alpha1.Budget) func(*v1alpha1.APIKey) {
		return func(k *v1alpha1.APIKey) { k.Spec.Budgets = budgets }
	}
	reported := func(from, limit string, action v1alpha1.BudgetAction, end time.Duration) func(*v1alpha1.KeyHolderStatus) {
		return func(s *v1alpha1.KeyHolderStatus) {
			s.Usage.Budgets = append(s.Usage.Budgets, v1alpha1.UsedUpBudget{
				Name: "a", From: from, Limit: limit, Action: action,
				Since: metav1.NewTime(begin), ResetsAt: metav1.NewTime(begin.Add(end)),
			})
		}
	}
	within := func(k *v1alpha1.APIKey) string { return condition(k, v1alpha1.ConditionWithinBudget) }

	It("is within them until the server reports one, and again when its period has ended", func(ctx SpecContext) {
		e := newEnv(ctx)
		k := e.Apply(ctx, "ci", limitedTo(tokens(7, v1alpha1.BudgetHour, v1alpha1.BudgetDeny)))
		Expect(within(k)).To(Equal("True/WithinBudget"))
		k = e.EditStatus(ctx, "ci", reported("spec.budgets", "7 tokens per hour", v1alpha1.BudgetDeny, time.Hour))
		expectConditions(k, "True/Issued", "True/Accepted")
		Expect(within(k)).To(Equal("False/BudgetExceeded"))
		Expect(message(k, "WithinBudget")).To(Equal(
			`Budget "a" of spec.budgets (7 tokens per hour) is used up until 2030-01-01T13:00:00Z: requests are refused.`))
		e.SetTime(20 * time.Minute)
		Expect(e.Reconcile(ctx, "ci")).To(Equal(40 * time.Minute))
		k = e.At(ctx, time.Hour, "ci")
		Expect(within(k)).To(Equal("True/WithinBudget"))
		Expect(k.Status.Usage.Budgets).To(HaveLen(1), "the server's to remove")
		Expect(e.Reconcile(ctx, "ci")).To(BeZero())
	})

	It("is within one that was changed since, and has no such condition without any", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci", limitedTo(tokens(7, v1alpha1.BudgetDay, v1alpha1.BudgetDeny)))
		e.EditStatus(ctx, "ci", reported("spec.budgets", "7 tokens per day", v1alpha1.BudgetDeny, 12*time.Hour))
		k := e.Change(ctx, "ci", limitedTo(tokens(8, v1alpha1.BudgetDay, v1alpha1.BudgetDeny)))
		Expect(within(k)).To(Equal("True/WithinBudget"))
		k = e.Change(ctx, "ci", limitedTo(tokens(7, v1alpha1.BudgetDay, v1alpha1.BudgetDeny)))
		Expect(within(k)).To(Equal("False/BudgetExceeded"))
		Expect(within(e.Change(ctx, "ci", limitedTo(nil)))).To(BeEmpty())
	})

	It("shares those of its roles, and follows them", func(ctx SpecContext) {
		e := newEnv(ctx)
		warned := tokens(9, v1alpha1.BudgetMonth, v1alpha1.BudgetWarn)
		role := e.role(ctx, "team", func(r *v1alpha1.AccessRole) { r.Spec.Limits = &v1alpha1.Limits{Budgets: warned} })
		Expect(within(e.Apply(ctx, "ci", using(role)))).To(Equal("True/WithinBudget"))
		k := e.EditStatus(ctx, "ci",
			reported("AccessRole/"+string(role), "9 tokens per month", v1alpha1.BudgetWarn, 720*time.Hour))
		expectConditions(k, "True/Issued", "True/Accepted")
		Expect(within(k)).To(Equal("False/BudgetWarning"))
		e.editRole(ctx, role, func(r *v1alpha1.AccessRole) { r.Spec.Limits = nil })
		e.Reconcile(ctx, "ci")
		Expect(within(e.Get(ctx, "ci"))).To(BeEmpty())
	})

	It("keeps the condition while the key stalls, and when it is revoked", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci", limitedTo(tokens(7, v1alpha1.BudgetDay, v1alpha1.BudgetDeny)))
		e.EditStatus(ctx, "ci", reported("spec.budgets", "7 tokens per day", v1alpha1.BudgetDeny, 12*time.Hour))
		e.Change(ctx, "ci", using(v1alpha1.RoleName(e.own("missing"))))
		k := e.PassGrace(ctx, "ci")
		Expect(condition(k, "Stalled")).To(Equal("True/UnknownRole"))
		Expect(within(k)).To(Equal("False/BudgetExceeded"))
		Expect(within(e.Change(ctx, "ci", revoked))).To(Equal("False/BudgetExceeded"))
		Expect(within(e.At(ctx, 12*time.Hour, "ci"))).To(Equal("True/WithinBudget"))
	})
})
