package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: chart <checkout>")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

// run writes the generated templates of a checkout.
func run(root string) error {
	for _, t := range templates {
		text, err := t.render(filepath.Join(root, "config", filepath.FromSlash(t.folder)))
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		path := filepath.Join(root, "charts", "keywright", "templates", t.name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return copyDashboard(root)
}

// copyDashboard copies the dashboard into the chart: Helm reads no file outside it.
func copyDashboard(root string) error {
	text, err := os.ReadFile(filepath.Join(root, "config", "monitoring", "dashboard.json"))
	if err != nil {
		return err
	}
	folder := filepath.Join(root, "charts", "keywright", "dashboards")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "keywright.json"), text, 0o644)
}

// source is a manifest of config.
type source struct{ name, text string }

// sources returns the manifests of a kustomization in its order.
func sources(folder string) ([]source, error) {
	text, err := os.ReadFile(filepath.Join(folder, "kustomization.yaml"))
	if err != nil {
		return nil, err
	}
	var kustomization struct {
		Resources []string `json:"resources"`
	}
	if err := yaml.Unmarshal(text, &kustomization); err != nil {
		return nil, err
	}
	if len(kustomization.Resources) == 0 {
		return nil, errors.New("the kustomization has no resources")
	}
	var all []source
	for _, name := range kustomization.Resources {
		manifest, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		all = append(all, source{filepath.Base(name), strings.Trim(strings.TrimPrefix(string(manifest), "---\n"), "\n")})
	}
	return all, nil
}
