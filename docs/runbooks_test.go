package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const runbookURL = "https://keywright.dev/docs/runbooks/"

type alert struct {
	Alert       string            `json:"alert"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// alerts returns those of config/monitoring.
func alerts(t *testing.T) (all []alert) {
	t.Helper()
	var rule struct {
		Spec struct{ Groups []struct{ Rules []alert } }
	}
	text := read(t, filepath.Join(root, "config", "monitoring", "prometheus_rule.yaml"))
	if err := yaml.Unmarshal([]byte(text), &rule); err != nil {
		t.Fatal(err)
	}
	for _, group := range rule.Spec.Groups {
		all = append(all, group.Rules...)
	}
	if len(all) < 20 {
		t.Fatalf("%d alerts", len(all))
	}
	return all
}

func TestRunbooks_OneForEachAlert(t *testing.T) {
	var names, pages []string
	for _, a := range alerts(t) {
		names = append(names, a.Alert+".md")
		if a.Annotations["runbook_url"] != runbookURL+a.Alert+".md" || a.Annotations["summary"] == "" {
			t.Errorf("%s has annotations %v", a.Alert, a.Annotations)
		}
	}
	entries, err := os.ReadDir("runbooks")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		pages = append(pages, entry.Name())
		text := read(t, filepath.Join("runbooks", entry.Name()))
		for _, want := range []string{
			"# " + strings.TrimSuffix(entry.Name(), ".md") + "\n", "\n## What it means\n", "\n## How to see it\n",
			"\n## What to do\n", "```sh\nkubectl ",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s has no %q", entry.Name(), want)
			}
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, pages) {
		t.Errorf("pages: %v, alerts: %v", pages, names)
	}
}

func TestMetricsPage_ListsEveryAlert(t *testing.T) {
	_, listed, _ := strings.Cut(read(t, "metrics.md"), "| alert | severity |")
	for _, a := range alerts(t) {
		if severity := a.Labels["severity"]; severity != "warning" && severity != "critical" {
			t.Errorf("%s has severity %q", a.Alert, severity)
		}
		row := fmt.Sprintf("\n| [%s](runbooks/%[1]s.md) | %s | ", a.Alert, a.Labels["severity"])
		if !strings.Contains(listed, row) {
			t.Errorf("the page has no row %s", row)
		}
	}
	if rows := strings.Count(listed, "](runbooks/"); rows != len(alerts(t)) {
		t.Errorf("the page has %d alerts of %d", rows, len(alerts(t)))
	}
}
