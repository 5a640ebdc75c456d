package v1alpha1_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// removedField is a field of earlier manifests.
type removedField struct {
	kind
	// path is the path of the field below spec.
	path string
	// values are what manifests had there, as JSON.
	values []string
	// message names the new field.
	message string
}

const (
	wasEnabled     = "enabled was replaced by state: write state: Active or state: Disabled"
	wasKey         = "key was replaced by dataKey"
	wasWhenDeleted = "whenDeleted was replaced by reissuePolicy: write IfLost for Reissue and Never for Keep"
)

var (
	eitherBool  = []string{"true", "false"}
	dataKeys    = []string{`"key"`, `"token"`, `""`}
	lossActions = []string{`"Keep"`, `"Reissue"`, `""`}
)

var removedFields = []removedField{
	{adminUser, "enabled", eitherBool, wasEnabled},
	{adminUser, "secret.key", dataKeys, wasKey},
	{adminUser, "secret.whenDeleted", lossActions, wasWhenDeleted},
	{apiKey, "enabled", eitherBool, wasEnabled},
	{apiKey, "revoked", eitherBool, "revoked was replaced by state: write state: Revoked"},
	{apiKey, "secret.key", dataKeys, wasKey},
	{apiKey, "secret.whenDeleted", lossActions, wasWhenDeleted},
	{accessRole, "members", []string{`["carol"]`, `["carol","dave"]`, `[]`},
		"members was replaced by AccessRoleBinding: list them there under subjects"},
	{accessRole, "apiKeys", []string{`"Allowed"`, `"Denied"`}, "apiKeys was replaced: it is a field of AccessRoleBinding"},
	{accessRole, "maxTTL", []string{`"720h"`, `""`}, "maxTTL was replaced by limits.maxTTL"},
}

// fragment returns the JSON of a spec that has the field alone.
func (f removedField) fragment(value string) string {
	for _, name := range slices.Backward(strings.Split(f.path, ".")) {
		value = fmt.Sprintf(`{%q:%s}`, name, value)
	}
	return value
}

// spec returns the smallest valid spec with the field added.
func (f removedField) spec(value string) string {
	if f.kind == apiKey {
		return ci(f.fragment(value))
	}
	return f.fragment(value)
}

// applied returns the manifest as kubectl apply --server-side sends it.
func (f removedField) applied(name, value string) client.Patch {
	GinkgoHelper()
	content, err := json.Marshal(f.manifest(name, f.spec(value)))
	Expect(err).NotTo(HaveOccurred())
	return client.RawPatch(types.ApplyPatchType, content)
}

// expectRefused expects a refusal that has the message of the field, and no other.
func (f removedField) expectRefused(err error, what string) {
	GinkgoHelper()
	lines := complaints(err)
	Expect(lines).To(HaveLen(1), what)
	Expect(lines[0]).To(HavePrefix("spec."+f.path+": Invalid value: "), what)
	Expect(lines[0]).To(HaveSuffix(f.message), what)
}

var _ = Describe("A field of earlier manifests", func() {
	for _, f := range removedFields {
		Describe(f.name+" spec."+f.path, func() {
			It("is refused on create and on server-side apply, whatever its value", func(ctx SpecContext) {
				for _, value := range f.values {
					_, err := f.try(ctx, "old", f.spec(value))
					f.expectRefused(err, "create with "+value)
					f.expectRefused(noted(plane.Client.Patch(ctx, f.manifest("old", ""), f.applied("old", value), applying...)),
						"apply with "+value)
				}
			})

			It("is refused on update, on merge patch and on server-side apply of an existing object", func(ctx SpecContext) {
				object := f.create(ctx, "existing", minimal(f.kind))
				for _, value := range f.values {
					f.expectRefused(edit(ctx, object, `{"spec":`+f.fragment(value)+`}`), "merge patch with "+value)
					f.expectRefused(update(ctx, object, strings.Split(f.path, "."), value), "update with "+value)
					f.expectRefused(noted(plane.Client.Patch(ctx, object.DeepCopy(), f.applied("existing", value), applying...)),
						"apply with "+value)
				}
			})

			It("may be null, which is the same as absent", func(ctx SpecContext) {
				stored, err := f.try(ctx, "old", f.spec("null"))
				Expect(err).NotTo(HaveOccurred())
				path := append([]string{"spec"}, strings.Split(f.path, ".")...)
				_, found, err := unstructured.NestedFieldNoCopy(stored.Object, path...)
				Expect(err).NotTo(HaveOccurred())
				Expect(found).To(BeFalse())
			})
		})
	}
})

// applying are the options of a forced server-side apply, as a dry run.
var applying = []client.PatchOption{client.ForceOwnership, client.FieldOwner("deployer"), client.DryRunAll}

// update replaces an object by one that has a value, given as JSON, at a path of the spec.
func update(ctx context.Context, object *unstructured.Unstructured, path []string, value string) error {
	GinkgoHelper()
	var parsed any
	Expect(json.Unmarshal([]byte(value), &parsed)).To(Succeed())
	changed := object.DeepCopy()
	Expect(unstructured.SetNestedField(changed.Object, parsed, append([]string{"spec"}, path...)...)).To(Succeed())
	return noted(plane.Client.Update(ctx, changed, client.DryRunAll))
}

// What people have in their hands and scripts must not succeed and stop nothing.
var _ = Describe("kubectl, used as before", func() {
	It("fails to disable a key by enabled: false, and the key stays as it is", func(ctx SpecContext) {
		key := apiKey.create(ctx, "leaking", ci("{}"))
		for _, patch := range []struct{ flag, patch string }{
			{"merge", `{"spec":{"enabled":false}}`},
			{"merge", `{"spec":{"revoked":true}}`},
			{"json", `[{"op":"add","path":"/spec/enabled","value":false}]`},
		} {
			_, err := plane.Kubectl(ctx, "patch", "apikey", "leaking", "-n", "default", "--type", patch.flag, "-p", patch.patch)
			Expect(err).To(MatchError(ContainSubstring("was replaced by state: write state: ")), patch.patch)
		}
		Expect(plane.Client.Get(ctx, client.ObjectKeyFromObject(key), key)).To(Succeed())
		Expect(key.Object["spec"]).To(HaveKeyWithValue("state", "Active"))
		Expect(key.GetGeneration()).To(BeEquivalentTo(1))
	})

	It("fails to disable an admin by enabled: false", func(ctx SpecContext) {
		adminUser.create(ctx, "leaver", "")
		_, err := plane.Kubectl(ctx, "patch", "adminuser", "leaver", "-n", adminUser.namespace, "--type=merge",
			"-p", `{"spec":{"enabled":false}}`)
		Expect(err).To(MatchError(ContainSubstring(wasEnabled)))
	})

	It("fails to apply an old manifest, and names every new field at once", func(ctx SpecContext) {
		path := filepath.Join(GinkgoT().TempDir(), "old.json")
		old := apiKey.manifest("old", ci(`{"enabled":true,"revoked":false,"secret":{"key":"token","whenDeleted":"Keep"}}`))
		content, err := json.Marshal(old)
		Expect(err).NotTo(HaveOccurred())
		Expect(os.WriteFile(path, content, 0o600)).To(Succeed())
		for _, how := range [][]string{{"apply"}, {"apply", "--server-side"}, {"create"}} {
			_, err := plane.Kubectl(ctx, append(how, "-f", path)...)
			Expect(err).To(HaveOccurred())
			for _, text := range []string{wasEnabled, "write state: Revoked", wasKey, wasWhenDeleted} {
				Expect(err.Error()).To(ContainSubstring(text), strings.Join(how, " "))
			}
		}
	})
})
