package book

import "github.com/prometheus/client_golang/prometheus"

// maxSeries bounds the budgets with a series of their own.
const maxSeries = 100

var (
	ratioDesc = prometheus.NewDesc("keywright_budget_used_ratio",
		"Used part of a budget in its present period: 1 and more is used up. The 100 most used ones.",
		[]string{"owner", "budget"}, nil)
	countDesc = prometheus.NewDesc("keywright_budgets",
		"Budgets in force, by state: within, used_up, unknown.", []string{"state"}, nil)
)

// Metrics are those of a Book.
type Metrics struct{ Book *Book }

// Describe is part of prometheus.Collector.
func (Metrics) Describe(out chan<- *prometheus.Desc) { out <- ratioDesc; out <- countDesc }

// Collect is part of prometheus.Collector.
func (m Metrics) Collect(out chan<- prometheus.Metric) {
	lines := m.Book.List()
	counts := map[State]int{Within: 0, UsedUp: 0, Unknown: 0}
	series := 0
	for i := range lines {
		line := &lines[i]
		counts[line.State]++
		if line.State != Unknown && series < maxSeries {
			out <- prometheus.MustNewConstMetric(
				ratioDesc, prometheus.GaugeValue, line.Ratio(), line.OwnerName(), line.Budget.Name,
			)
			series++
		}
	}
	for state, count := range counts {
		out <- prometheus.MustNewConstMetric(countDesc, prometheus.GaugeValue, float64(count), string(state))
	}
}
