package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// document is an object without its status and the fields that the API server sets.
type document struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metadata `json:"metadata"`
	Spec            any      `json:"spec"`
}

type metadata struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Of returns the manifest of an object in YAML, with sorted fields. Fields of the spec with the default of their type
// are left out, and so are the labels and annotations of Keywright and kubectl.
func Of(o keyholder.Object) (string, error) {
	fields, err := json.Marshal(document{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: keyholder.KindOf(o)},
		Metadata: metadata{o.GetName(), o.GetNamespace(), peoples(o.GetLabels()), peoples(o.GetAnnotations())},
		Spec:     specOf(o),
	})
	if err != nil {
		return "", fmt.Errorf("write the manifest: %w", err)
	}
	text, err := yaml.JSONToYAML(escaped(fields))
	if err != nil {
		return "", fmt.Errorf("write the manifest: %w", err)
	}
	return string(text), nil
}

// escaped returns JSON in which the characters that YAML does not allow are escaped. In JSON they are in strings only.
func escaped(text []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(text) {
		if r >= 0x7f && r <= 0x9f || r >= 0xfff0 && r <= 0xffff || r == '\ufeff' {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.Bytes()
}

// New returns the manifest of an object that is to be created. A comment says where its key will be.
func New(o keyholder.Object) (string, error) {
	text, err := Of(o)
	if err != nil {
		return "", err
	}
	secret, entry := "", "key"
	switch o := o.(type) {
	case *v1alpha1.APIKey:
		secret = o.EffectiveSecretName()
	case *v1alpha1.AdminUser:
		secret = o.EffectiveSecretName()
	}
	return fmt.Sprintf("# The operator writes the key into Secret %s, entry %s.\n%s", secret, entry, text), nil
}

// peoples returns the labels or annotations that people set.
func peoples(all map[string]string) map[string]string {
	kept := map[string]string{}
	for name, value := range all {
		domain, _, _ := strings.Cut(name, "/")
		if domain != v1alpha1.SchemeGroupVersion.Group && domain != "kubectl.kubernetes.io" {
			kept[name] = value
		}
	}
	return kept
}

// specOf returns a copy of the spec without the defaults of the CRD.
func specOf(o keyholder.Object) any {
	switch o := o.(type) {
	case *v1alpha1.APIKey:
		spec := o.Spec.DeepCopy()
		spec.State = without(spec.State, v1alpha1.StateActive)
		spec.Delivery = without(spec.Delivery, v1alpha1.DeliverySecret)
		return spec
	case *v1alpha1.AdminUser:
		spec := o.Spec.DeepCopy()
		spec.State = without(spec.State, v1alpha1.StateActive)
		spec.Delivery = without(spec.Delivery, v1alpha1.DeliverySecret)
		spec.Role = without(spec.Role, v1alpha1.RoleAdmin)
		spec.Username = without(spec.Username, o.Name)
		return spec
	}
	return nil
}

func without[T comparable](value, otherwise T) T {
	if value == otherwise {
		var zero T
		return zero
	}
	return value
}

// Patch returns the kubectl command that changes the spec of before to that of after, or "" if they are equal.
func Patch(before, after keyholder.Object) (string, error) {
	from, err := fieldsOf(before)
	if err != nil {
		return "", err
	}
	to, err := fieldsOf(after)
	if err != nil {
		return "", err
	}
	changed := difference(from, to)
	if len(changed) == 0 {
		return "", nil
	}
	patch, err := json.Marshal(map[string]any{"spec": changed})
	if err != nil {
		return "", fmt.Errorf("write the patch: %w", err)
	}
	return fmt.Sprintf("kubectl patch %s %s --type merge -p %s", named(before), byHand, quoted(string(patch))), nil
}

// fieldsOf returns the spec as JSON has it, with defaults.
func fieldsOf(o keyholder.Object) (fields map[string]any, err error) {
	var spec any
	switch o := o.(type) {
	case *v1alpha1.APIKey:
		spec = o.Spec
	case *v1alpha1.AdminUser:
		spec = o.Spec
	}
	text, err := json.Marshal(spec)
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	if err != nil {
		return nil, fmt.Errorf("read the spec: %w", err)
	}
	return fields, nil
}

// difference returns the JSON merge patch from one object to another.
func difference(from, to map[string]any) map[string]any {
	patch := map[string]any{}
	for name := range from {
		if _, stays := to[name]; !stays {
			patch[name] = nil
		}
	}
	for name, value := range to {
		inner, isObject := value.(map[string]any)
		before, wasObject := from[name].(map[string]any)
		switch {
		case isObject && wasObject:
			if changed := difference(before, inner); len(changed) > 0 {
				patch[name] = changed
			}
		case !equal(from[name], value):
			patch[name] = value
		}
	}
	return patch
}

func equal(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// quoted returns a text as one word of a shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
