package usage

import (
	"fmt"
	"html/template"

	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/internal/web"
	"keywright.dev/keywright/internal/web/chart"
)

// chartPart is the chart over time.
type chartPart struct {
	Title  string
	SVG    template.HTML
	Legend []chart.Entry
	// Note says what the chart leaves out.
	Note string
}

var chartTitles = map[string]string{showCost: "Cost", showTokens: "Tokens", showCalls: "Calls"}

// chartOf draws a timeline. Without calls it is empty.
func chartOf(line *tokenusage.Timeline, show string, unknown int64) *chartPart {
	part := &chartPart{Title: chartTitles[show] + " by " + string(line.By)}
	drawn := chart.Columns{ID: "usage-chart", Title: part.Title, Labels: line.Labels, Unit: chart.Count}
	if show == showCost {
		drawn.Unit = chart.Dollars
		if unknown > 0 {
			part.Note = noteOf(unknown)
		}
	}
	whole := 0.0
	for i := range line.Series {
		one := chart.Series{Name: line.Series[i].Model}
		if one.Name == "" {
			one.Name = "Other models"
		}
		for n := range line.Series[i].Totals {
			value := valueOf(&line.Series[i].Totals[n], show)
			one.Values, whole = append(one.Values, value), whole+value
		}
		drawn.Series = append(drawn.Series, one)
	}
	if len(line.Series) == 0 || len(line.Labels) == 0 {
		return part
	}
	drawn.Description = fmt.Sprintf("%s in all, from %s to %s. The table below has the numbers.",
		drawn.Unit.Text(whole), line.Labels[0], line.Labels[len(line.Labels)-1])
	part.SVG, part.Legend = drawn.SVG(), drawn.Legend()
	return part
}

func noteOf(unknown int64) string {
	if unknown == 1 {
		return "1 call has no known price, and is left out."
	}
	return web.Grouped(unknown) + " calls have no known price, and are left out."
}

// valueOf returns what a chart shows of some calls. An unknown cost is nothing.
func valueOf(t *usage.Totals, show string) float64 {
	switch {
	case show == showTokens:
		return float64(t.Total())
	case show == showCalls:
		return float64(t.Calls)
	case t.Cost == nil:
		return 0
	}
	return t.Cost.Dollars()
}
