package admission

import (
	"fmt"
	"slices"
	"strings"
)

// onBudgets returns a row of an update of the budgets, each given as its fields but the name.
func onBudgets(direction direction, before, after []string) change {
	from, patch := budgetList(before...), budgetList(after...)
	if direction == widens {
		return onCI("budgets", from, patch, "raise or remove a budget of")
	}
	return change{field: "budgets", direction: direction, from: from, patch: patch}
}

// budgetList returns a spec with these budgets, each under a name of its own unless it has one.
func budgetList(budgets ...string) string {
	budgets = slices.Clone(budgets)
	for i, budget := range budgets {
		if !strings.Contains(budget, `"name"`) {
			budgets[i] = fmt.Sprintf(`{"name":"b%d",%s`, i, budget[1:])
		}
	}
	return `{"budgets":[` + strings.Join(budgets, ",") + `]}`
}

func usd(amount, period string) string { return fmt.Sprintf(`{"usd":%q,"period":%q}`, amount, period) }

func tokens(count int, period string) string {
	return fmt.Sprintf(`{"tokens":%d,"period":%q}`, count, period)
}

func warning(budget string) string { return strings.TrimSuffix(budget, "}") + `,"action":"Warn"}` }

func budgetNamed(name, budget string) string { return fmt.Sprintf(`{"name":%q,%s`, name, budget[1:]) }

// budgetChanges are the rows of spec.budgets.
var budgetChanges = []change{
	onBudgets(narrows, nil, []string{usd("1", "Day")}),
	onBudgets(narrows, []string{usd("1", "Day")}, []string{usd("0.999999999", "Day")}),
	onBudgets(narrows, []string{usd("1", "Day")}, []string{usd("1", "Day"), usd("9", "Hour")}),
	onBudgets(narrows, []string{tokens(10, "Day")}, []string{tokens(9, "Day")}),
	onBudgets(narrows, []string{usd("1", "Hour")}, []string{usd("1", "Day")}),
	onBudgets(narrows, []string{usd("1", "Day")}, []string{usd("1", "Month")}),
	onBudgets(narrows, []string{warning(usd("1", "Day"))}, []string{usd("1", "Day")}),
	onBudgets(narrows, []string{usd("9", "Day"), usd("1", "Day")}, []string{usd("1", "Day")}),
	onBudgets(neutral, []string{usd("1", "Day")}, []string{usd("1.000", "Day")}),
	onBudgets(neutral, []string{usd("1", "Day")}, []string{budgetNamed("other", usd("1", "Day"))}),
	onBudgets(widens, []string{usd("1", "Day")}, nil),
	onBudgets(widens, []string{usd("1", "Day"), tokens(10, "Day")}, []string{usd("1", "Day")}),
	onBudgets(widens, []string{usd("9.5", "Day")}, []string{usd("10", "Day")}),
	onBudgets(widens, []string{usd("1", "Day")}, []string{usd("1.000000001", "Day")}),
	onBudgets(widens, []string{tokens(9, "Day")}, []string{tokens(10, "Day")}),
	onBudgets(widens, []string{usd("1", "Day")}, []string{usd("1", "Hour")}),
	onBudgets(widens, []string{usd("1", "Month")}, []string{usd("0.1", "Day")}),
	onBudgets(widens, []string{usd("1", "Day")}, []string{warning(usd("1", "Day"))}),
	onBudgets(widens, []string{warning(usd("1", "Day"))}, []string{warning(usd("2", "Day"))}),
	onBudgets(widens, []string{usd("1", "Day")}, []string{tokens(1, "Day")}),
	onBudgets(widens, []string{usd("1", "Day"), usd("2", "Month")}, []string{usd("1", "Day"), usd("3", "Month")}),
	onCI("budgets", budgetList(usd("1", "Day")), `{"budgets":null}`, "raise or remove a budget of"),
}
