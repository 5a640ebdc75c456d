package keys

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/web"
)

// scopesOf returns the scopes that are ticked, and those that are typed besides.
func scopesOf(form *web.Form) []string {
	all := slices.Clone(form.Values[apikeys.FieldScopes])
	for _, scope := range form.Lines(fieldMore) {
		if !slices.Contains(all, scope) {
			all = append(all, scope)
		}
	}
	return all
}

// wantedOf reads the key to create, with the faults of what was typed.
func wantedOf(form *web.Form, now time.Time) *apikeys.Wanted {
	w := &apikeys.Wanted{
		Name: form.Text(apikeys.FieldName), Description: textOf(form.Text(apikeys.FieldDescription)),
		Scopes: scopesOf(form), Roles: form.Values[apikeys.FieldRoles], Once: form.Get(fieldFormID),
	}
	if fault := readExpiry(form, now, w); fault != nil {
		w.Faults = append(w.Faults, fault)
	}
	if form.Text(fieldAmount) == "" {
		return w
	}
	b, fault := budgetOf(form)
	if fault != nil {
		w.Faults = append(w.Faults, fault)
		return w
	}
	w.Budgets = []v1alpha1.Budget{b}
	return w
}

// textOf returns text with the line ends that the API stores: browsers send CR LF.
func textOf(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

// readExpiry reads the end of the key: a lifetime in days, or the end of a day in UTC.
func readExpiry(form *web.Form, now time.Time, w *apikeys.Wanted) *manage.Error {
	switch choice := form.Text(fieldExpiry); choice {
	case expiryNever:
		return nil
	case expiryDate:
		day, err := time.Parse(time.DateOnly, form.Text(fieldDate))
		if err != nil {
			return manage.InvalidField(apikeys.FieldExpiresAt, "must be a day such as "+now.UTC().Format(time.DateOnly))
		}
		end := day.AddDate(0, 0, 1)
		w.ExpiresAt = &end
		return nil
	default:
		days, err := strconv.Atoi(choice)
		if err != nil || !slices.ContainsFunc(expiries, func(o option) bool { return o.Value == choice }) {
			return manage.InvalidField(apikeys.FieldExpiresIn, "must be one of the choices")
		}
		w.TTL = time.Duration(days) * 24 * time.Hour
		return nil
	}
}

// budgetOf reads the budget, which is named after its period.
func budgetOf(form *web.Form) (v1alpha1.Budget, *manage.Error) {
	b := v1alpha1.Budget{
		Period: v1alpha1.BudgetPeriod(form.Text(fieldPeriod)), Action: v1alpha1.BudgetAction(form.Text(fieldAction)),
	}
	b.Name = map[v1alpha1.BudgetPeriod]string{
		v1alpha1.BudgetHour: "hourly", v1alpha1.BudgetDay: "daily", v1alpha1.BudgetMonth: "monthly",
	}[b.Period]
	amount := strings.TrimPrefix(form.Text(fieldAmount), "$")
	switch form.Text(fieldUnit) {
	case "usd":
		b.USD = v1alpha1.Dollars(amount)
		return b, nil
	case "tokens":
		n, err := strconv.ParseInt(strings.ReplaceAll(amount, ",", ""), 10, 64)
		if err != nil {
			return b, manage.InvalidField(apikeys.FieldBudgets, "must be a whole number of tokens")
		}
		b.Tokens = n
		return b, nil
	}
	return b, manage.InvalidField(apikeys.FieldBudgets, "must be in US dollars or in tokens")
}
