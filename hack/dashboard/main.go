// Command dashboard writes the Grafana dashboard of config/monitoring to stdout. What it shows is in panels.go.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	built, err := build().Build()
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(built)
}

// source is the data source that the person who looks chooses.
var source = common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}

// query is one line of a panel.
type query struct{ expr, legend string }

// panel is one panel with its unit, as Grafana names it.
type panel struct {
	title, description, unit string
	queries                  []query
}

func build() *dashboard.DashboardBuilder {
	b := dashboard.NewDashboardBuilder("Keywright").Uid("keywright").Tags([]string{"keywright"}).
		Editable().Time("now-6h", "now").Refresh("1m").Tooltip(dashboard.DashboardCursorSyncCrosshair).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus"))
	b = b.WithRow(dashboard.NewRowBuilder("Now"))
	for _, p := range now {
		b = b.WithPanel(p.single())
	}
	for _, row := range rows {
		b = b.WithRow(dashboard.NewRowBuilder(row.title))
		for _, p := range row.panels {
			b = b.WithPanel(p.graph())
		}
	}
	return b
}

func (p panel) targets() (all []*prometheus.DataqueryBuilder) {
	for i, q := range p.queries {
		all = append(all, prometheus.NewDataqueryBuilder().
			Datasource(source).Expr(q.expr).LegendFormat(q.legend).RefId(string(rune('A'+i))))
	}
	return all
}

// single shows the latest value. Six are in a line.
func (p panel) single() *stat.PanelBuilder {
	b := stat.NewPanelBuilder().Title(p.title).Description(p.description).Unit(p.unit).Datasource(source).
		Height(4).Span(4).GraphMode(common.BigValueGraphModeNone)
	for _, target := range p.targets() {
		b = b.WithTarget(target)
	}
	return b
}

// graph shows values over time. Two are in a line.
func (p panel) graph() *timeseries.PanelBuilder {
	b := timeseries.NewPanelBuilder().Title(p.title).Description(p.description).Unit(p.unit).Datasource(source).
		Height(8).Span(12).Min(0).FillOpacity(10)
	for _, target := range p.targets() {
		b = b.WithTarget(target)
	}
	return b
}
