package main

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/gate"
)

// descriptor parses the text of a Desc: name and labels.
var descriptor = regexp.MustCompile(`fqName: "(keywright_[^"]+)",.*constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}`)

// exported returns the labels of each metric of the server, as its rows on the page have them.
func exported(registry *prometheus.Registry) map[string]string {
	descriptions := make(chan *prometheus.Desc)
	go func() { registry.Describe(descriptions); close(descriptions) }()
	found := map[string]string{}
	for one := range descriptions {
		parts := descriptor.FindStringSubmatch(one.String())
		if parts == nil {
			continue
		}
		var labels []string
		for label := range strings.SplitSeq(parts[2]+","+parts[3], ",") {
			if name, _, _ := strings.Cut(label, "="); name != "" {
				labels = append(labels, "`"+name+"`")
			}
		}
		slices.Sort(labels)
		found[parts[1]] = strings.Join(labels, ", ")
	}
	return found
}

func metricsPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, server, _ := strings.Cut(string(text), "\n## The server\n")
	server, _, found := strings.Cut(server, "\n## Scraping\n")
	if !found {
		t.Fatal("docs/metrics.md has other headings")
	}
	return server
}

func TestMetricsPage_HasEveryServerMetric(t *testing.T) {
	onPage := map[string]string{}
	row := regexp.MustCompile("(?m)^\\| `(keywright_\\w+)` \\| ([^|]*?) ?\\| ")
	for _, row := range row.FindAllStringSubmatch(metricsPage(t), -1) {
		labels := strings.Split(row[2], ", ")
		slices.Sort(labels)
		onPage[row[1]] = strings.Join(labels, ", ")
	}
	server := newUnstarted(t)
	// Present with TLS only.
	server.registerTLSMetrics(nil)
	inCode := exported(server.metrics)
	for name, labels := range inCode {
		if got, found := onPage[name]; !found || got != labels {
			t.Errorf("%s has labels %q, on the page %q (%t)", name, labels, got, found)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(onPage)) {
		if _, found := inCode[name]; !found {
			t.Errorf("%s is on the page only", name)
		}
	}
}

func TestMetricsPage_HasEverySurfaceAndGroup(t *testing.T) {
	page, service := metricsPage(t), newUnstarted(t)
	_, surfaces, _ := strings.Cut(page, "`surface` is ")
	surfaces, _, _ = strings.Cut(surfaces, ";")
	for _, surface := range gate.Surfaces() {
		if !strings.Contains(surfaces, "`"+surface.String()+"`") {
			t.Errorf("no surface %s on the page", surface)
		}
	}
	_, groups, _ := strings.Cut(page, "`group` is ")
	groups, _, _ = strings.Cut(groups, " |")
	want := map[string]bool{"introspect": true}
	for _, group := range slices.Concat(service.groups, service.pages) {
		want[group.Name] = true
	}
	if want[""] || len(want) != 6 {
		t.Errorf("groups %v", want)
	}
	for name := range want {
		if !strings.Contains(groups, "`"+name+"`") {
			t.Errorf("no group %s on the page", name)
		}
	}
}
