package usage

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/internal/manage/usage/book"
	"keywright.dev/keywright/internal/web"
	"keywright.dev/keywright/internal/web/chart"
)

// budgetLine is a budget with how far it is used.
type budgetLine struct {
	Owner, Name, Period string
	// Used says how much of the amount is used.
	Used string
	Bar  template.HTML
	// Badge is the state in a word, and Level the class of its badge.
	Badge, Level string
	Resets       time.Time
}

// near is from which part on a budget is almost used up.
const near = 0.8

func budgetLines(lines []book.Line) (all []budgetLine) {
	for i := range lines {
		all = append(all, budgetLineOf(&lines[i]))
	}
	return all
}

func budgetLineOf(l *book.Line) budgetLine {
	b := &l.Budget
	one := budgetLine{
		Owner: l.OwnerName(), Name: b.Name, Period: strings.ToLower(string(b.Period)), Resets: l.Resets,
		Badge: "within", Level: "badge-good",
	}
	part, level := l.Ratio(), chart.Plain
	switch {
	case l.State == book.Unknown:
		one.Badge, one.Level, part = "not known yet", "", 0
	case l.State == book.UsedUp && b.Warns:
		one.Badge, one.Level, level = "used up: warns", "badge-warn", chart.Near
	case l.State == book.UsedUp:
		one.Badge, one.Level, level = "used up: requests are refused", "badge-bad", chart.Over
	case part >= near:
		one.Badge, one.Level, level = "almost used up", "badge-warn", chart.Near
	}
	one.Bar = chart.Meter(part, level)
	one.Used = "not known of " + amount(b.Unit, b.Amount)
	if l.State != book.Unknown {
		one.Used = fmt.Sprintf("%s of %s (%s)", amount(b.Unit, l.Used), amount(b.Unit, b.Amount), percent(part))
	}
	return one
}

func amount(unit budget.Unit, of int64) string {
	if unit == budget.Tokens {
		return web.Grouped(of) + " tokens"
	}
	return moneyOf(usage.Money(of)).Text
}

// percent rounds down, so that only a budget that is used up has 100 %.
func percent(part float64) string {
	if part > 9.99 {
		return "over 999 %"
	}
	return fmt.Sprintf("%d %%", int(part*100))
}

// budgetsPage is the data of /usage/budgets.
type budgetsPage struct {
	Budgets []budgetLine
	Pager   pager
}

func (p *pages) allBudgets(c *httpapi.Call) {
	if err := p.MayRead(c.Manager()); err != nil {
		web.Fail(c, err)
		return
	}
	all := p.budgets.List()
	shown := budgetsPage{Pager: pager{Noun: "budget"}}
	from, to := shown.Pager.set(len(all), pageOf(c.R.URL.Query().Get(paramPage)), func(page string) string {
		return "/usage/budgets?page=" + page
	})
	shown.Budgets = budgetLines(all[from:to])
	web.Render(c, web.Page{Title: "Budgets", Section: web.Usage, View: budgetsView, Data: &shown})
}
