package main

import (
	"fmt"
	"strings"
)

// systemNamespace is the namespace that the manifests of config name.
const systemNamespace = "keywright-system"

// template is one generated template.
type template struct {
	// name is the template's file, and folder the kustomization in config.
	name, folder string
	// begin and end stand around everything: a condition or a loop.
	begin, end string
	// namespace is the expression that replaces the system namespace.
	namespace string
	// change adapts a manifest. Nil: nothing else changes.
	change func(source) (string, error)
}

var templates = []template{
	{
		name: "crds.yaml", folder: "crd", namespace: ".Release.Namespace",
		begin: "{{- if .Values.crds.enabled }}\n", end: "{{- end }}\n", change: keep,
	},
	{name: "admission.yaml", folder: "admission", namespace: ".Release.Namespace"},
	{name: "rbac.yaml", folder: "rbac", namespace: ".Release.Namespace", change: wholeCluster},
	{
		name: "namespaces.yaml", folder: "namespaced/tenant", namespace: "$.Release.Namespace",
		begin: "{{- if .Values.namespaces }}\n{{- range append .Values.namespaces .Release.Namespace | uniq }}\n",
		end:   "{{- end }}\n{{- end }}\n", change: perNamespace,
	},
	{name: "monitoring.yaml", folder: "monitoring", namespace: ".Release.Namespace", change: onRequest},
}

// render returns the template for the manifests in a folder.
func (t template) render(folder string) (string, error) {
	manifests, err := sources(folder)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "{{- /* Generated from config/%s by make chart. */ -}}\n%s", t.folder, t.begin)
	for _, manifest := range manifests {
		manifest.text = t.named(escape(manifest.text))
		if t.change != nil {
			if manifest.text, err = t.change(manifest); err != nil {
				return "", fmt.Errorf("%s: %w", manifest.name, err)
			}
		}
		fmt.Fprintf(&text, "---\n%s\n", manifest.text)
	}
	return text.String() + t.end, nil
}

// escape keeps braces of a manifest from Helm.
func escape(text string) string {
	return strings.ReplaceAll(text, "{{", "{{ `{{` }}")
}

// named replaces the system namespace: in fields, where a name of digits needs quotes, and in the constants of
// policies, which stand between apostrophes.
func (t template) named(text string) string {
	text = strings.ReplaceAll(text, "namespace: "+systemNamespace+"\n", "namespace: {{ "+t.namespace+" | quote }}\n")
	if rest, found := strings.CutSuffix(text, "namespace: "+systemNamespace); found {
		text = rest + "namespace: {{ " + t.namespace + " | quote }}"
	}
	return strings.ReplaceAll(text, "'"+systemNamespace+"'", "'{{ "+t.namespace+" }}'")
}

// keep makes Helm leave a CRD, and so all objects of its kind, where the release is removed.
func keep(manifest source) (string, error) {
	return insert(manifest.text, "\n  annotations:\n",
		"    {{- if .Values.crds.keep }}\n    helm.sh/resource-policy: keep\n    {{- end }}\n")
}

// insert adds text after the first place of a mark.
func insert(manifest, mark, text string) (string, error) {
	before, after, found := strings.Cut(manifest, mark)
	if !found {
		return "", fmt.Errorf("has no %q", strings.TrimSpace(mark))
	}
	return before + mark + text + after, nil
}

const ifWholeCluster = "{{- if not .Values.namespaces }}\n"

// wholeCluster leaves out the rights in the whole cluster where namespaces are listed, as config/namespaced does. Of
// the server's ClusterRole the first rule stays.
func wholeCluster(manifest source) (string, error) {
	switch manifest.name {
	case "operator_keys_cluster_role_binding.yaml":
		return ifWholeCluster + manifest.text + "\n{{- end }}", nil
	case "server_cluster_role.yaml":
		head, rules, found := strings.Cut(manifest.text, "\nrules:\n")
		first, others, blank := strings.Cut(rules, "\n\n")
		if !found || !blank {
			return "", fmt.Errorf("has no rules with a blank line after the first one")
		}
		return head + "\nrules:\n" + first + "\n" + ifWholeCluster + others + "\n{{- end }}", nil
	}
	return manifest.text, nil
}

// perNamespace names the namespace of the loop.
func perNamespace(manifest source) (string, error) {
	return insert(manifest.text, "\nmetadata:\n", "  namespace: {{ . | quote }}\n")
}

// runbooks is where the alerts of config have their pages.
const runbooks = "https://keywright.dev/docs/runbooks"

// onRequest renders an object of the Prometheus operator if its value asks for it, with the labels of that value.
func onRequest(manifest source) (string, error) {
	value, option := "serviceMonitor", "\n  - port: metrics"
	added := "\n    {{- with .Values.monitoring.serviceMonitor.interval }}\n    interval: {{ . }}\n    {{- end }}"
	if manifest.name == "prometheus_rule.yaml" {
		value, option, added = "prometheusRule", "\nspec:\n", ""
		manifest.text = strings.ReplaceAll(manifest.text, runbooks, "{{ $.Values.monitoring.prometheusRule.runbooks }}")
	}
	text, err := insert(manifest.text, option, added)
	if err != nil {
		return "", err
	}
	value = ".Values.monitoring." + value
	text, err = insert(text, "\n    app.kubernetes.io/name: keywright",
		"\n    {{- with "+value+".labels }}{{ toYaml . | nindent 4 }}{{ end }}")
	return "{{- if " + value + ".enabled }}\n" + text + "\n{{- end }}", err
}
