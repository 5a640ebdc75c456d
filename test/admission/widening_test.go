package admission

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// direction is what an update of a field does to the access that an object gives.
type direction string

const (
	// widens: needs use.
	widens direction = "widens"
	// narrows and neutral: free to every user who may update the object.
	narrows direction = "narrows"
	neutral direction = "is neutral"
	// transition: no user may do it. Without the policy on transitions it would need use.
	transition direction = "is for no user"
)

// change is a row of the tables: an update of one field of a spec.
type change struct {
	// field is a path in the spec, such as secret.name.
	field     string
	direction direction
	// from is merged into the spec before the update, as JSON. patch is the update.
	from, patch string
	// refusal is the message for a user without use. It is empty if the update is free.
	refusal string
	// needs lists the rights that the update needs.
	needs rules
}

func (c change) String() string {
	return fmt.Sprintf("%s: from %s, %s %s", c.field, orNothing(c.from), c.patch, c.direction)
}

func orNothing(from string) string {
	if from == "" {
		return "nothing"
	}
	return from
}

// touches reports whether the patch has a value for the field.
func (c change) touches() bool {
	GinkgoHelper()
	value := map[string]any{}
	Expect(json.Unmarshal([]byte(c.patch), &value)).To(Succeed())
	names := strings.Split(c.field, ".")
	for i, name := range names {
		field, found := value[name]
		if !found || i == len(names)-1 {
			return found
		}
		if value, found = field.(map[string]any); !found {
			// The patch removes the whole struct.
			return field == nil
		}
	}
	return false
}

// widened tries the rows of a table on objects of a kind.
type widened struct {
	kind      string
	namespace string
	// base is the spec before every update, as JSON.
	base string
	// editing grants to write objects of the kind.
	editing rules
}

// object creates an object as the cluster admin.
func (w widened) object(ctx context.Context, from string) *unstructured.Unstructured {
	GinkgoHelper()
	object := &unstructured.Unstructured{Object: map[string]any{}}
	object.SetAPIVersion(v1alpha1.SchemeGroupVersion.String())
	object.SetKind(w.kind)
	object.SetNamespace(w.namespace)
	object.SetName(newName(ctx, "widened"))
	spec := map[string]any{}
	Expect(json.Unmarshal([]byte(w.base), &spec)).To(Succeed())
	if from != "" {
		Expect(json.Unmarshal([]byte(from), &spec)).To(Succeed())
	}
	object.Object["spec"] = spec
	Expect(plane.Client.Create(ctx, object)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(client.IgnoreNotFound(plane.Client.Delete(ctx, object))).To(Succeed())
	})
	return object
}

// rewrite replaces a part of an object as etcd stores it. No CRD checks it.
func rewrite(ctx context.Context, object *unstructured.Unstructured, old, by string) {
	GinkgoHelper()
	key := "/registry/" + group[0] + "/" + strings.ToLower(object.GetKind()) + "s/" + object.GetNamespace() + "/" +
		object.GetName()
	stored, err := plane.EtcdRead(ctx, key)
	Expect(err).NotTo(HaveOccurred())
	Expect(string(stored)).To(ContainSubstring(old))
	stored = bytes.ReplaceAll(stored, []byte(old), []byte(by))
	Expect(plane.EtcdWrite(ctx, []stack.EtcdWrite{{Key: key, Value: stored}})).To(Succeed())
}

// update patches the spec in a dry run, as kubectl patch --type=merge does.
func update(ctx context.Context, who client.Client, object *unstructured.Unstructured, spec string) error {
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":`+spec+`}`))
	return who.Patch(ctx, object.DeepCopy(), patch, client.DryRunAll)
}

// try makes the update of a row as a user who may only edit, and as one who has the rights that it needs.
func (w widened) try(ctx context.Context, editor client.Client, c change) {
	GinkgoHelper()
	Expect(c.touches()).To(BeTrue(), "the patch does not have the field of its row")
	object := w.object(ctx, c.from)
	err := update(ctx, editor, object, c.patch)
	switch c.direction {
	case widens:
		expectRefusal(err, strings.ReplaceAll(c.refusal, "<name>", object.GetName()))
		needs := rules{}
		for _, rule := range c.needs {
			rule.ResourceNames = replaced(rule.ResourceNames, object.GetName())
			needs = append(needs, rule)
		}
		allowed := person(ctx, w.namespace, append(needs, w.editing...)...)
		Expect(update(ctx, allowed, object, c.patch)).To(Succeed())
	case transition:
		Expect(refusal(err)).NotTo(BeEmpty())
	default:
		Expect(err).NotTo(HaveOccurred())
	}
}

// replaced returns the names with the name of the object in place of <name>.
func replaced(names []string, object string) (all []string) {
	for _, name := range names {
		all = append(all, strings.ReplaceAll(name, "<name>", object))
	}
	return all
}

// expectEveryField expects that the rows cover every field of the spec, so that a new field needs a decision.
func expectEveryField(resource string, rows []change) {
	GinkgoHelper()
	crd, err := readCRD(resource)
	Expect(err).NotTo(HaveOccurred())
	Expect(crd.Spec.Versions).NotTo(BeEmpty())
	for _, version := range crd.Spec.Versions {
		spec := version.Schema.OpenAPIV3Schema.Properties["spec"]
		covered := map[string]bool{}
		for _, row := range rows {
			covered[row.field] = true
		}
		fields := leaves(&spec, "")
		Expect(fields).To(HaveEach(Satisfy(func(field string) bool { return covered[field] })),
			"every field of spec needs a row: what does an update of it do?")
		for field := range covered {
			Expect(fields).To(ContainElement(field))
		}
	}
}

// entries returns one table entry for each row.
func entries(rows []change) (all []any) {
	for _, row := range rows {
		all = append(all, Entry(row.String(), row))
	}
	return all
}
