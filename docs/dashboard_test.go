package docs

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// general are metrics of the process and of controller-runtime, which the page does not have to explain.
var general = []string{"process_resident_memory_bytes", "workqueue_depth"}

// The page is compared with what both programs export.
func TestDashboard_AsksForExportedMetrics(t *testing.T) {
	var dashboard struct {
		Panels []struct {
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
	}
	text := read(t, filepath.Join(root, "config", "monitoring", "dashboard.json"))
	if err := json.Unmarshal([]byte(text), &dashboard); err != nil {
		t.Fatal(err)
	}
	page, asked := read(t, "metrics.md")+strings.Join(general, "`"), 0
	metric := regexp.MustCompile(`\b[a-z]+(?:_[a-z]+)+\b`)
	for _, panel := range dashboard.Panels {
		if panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("panel %q asks for nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			asked++
			names := metric.FindAllString(withoutFunctions.Replace(target.Expr), -1)
			if len(names) == 0 {
				t.Errorf("panel %q has no metric: %s", panel.Title, target.Expr)
			}
			for _, name := range names {
				name = strings.TrimSuffix(name, "_bucket")
				if !strings.Contains(page, "`"+name+"`") && !strings.Contains(strings.Join(general, " "), name) {
					t.Errorf("panel %q asks for %s, which %s", panel.Title, name, "docs/metrics.md does not have")
				}
			}
		}
	}
	if asked < 20 {
		t.Errorf("%d queries only", asked)
	}
}

// withoutFunctions removes names in a query that look like metrics.
var withoutFunctions = strings.NewReplacer("histogram_quantile", "", "group_left", "", "$__rate_interval", "")
