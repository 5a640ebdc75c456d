package issuer

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"iter"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"keywright.dev/keywright/api/v1alpha1"
)

// contents is what a Secret holds beside the key and its identity, as annotation keywright.dev/contents records it. The
// zero value stands for a Secret of type Opaque without further entries, which has no such annotation.
type contents struct {
	// secretType is empty for Opaque.
	secretType v1alpha1.SecretType
	// dataKey is the entry that holds the key.
	dataKey string
	// hash identifies the entries of stringData.
	hash string
}

func (c contents) String() string {
	if c == (contents{}) {
		return ""
	}
	return strings.Join([]string{string(c.typeOrOpaque()), c.dataKey, c.hash}, " ")
}

func (c contents) typeOrOpaque() v1alpha1.SecretType {
	if c.secretType == "" {
		return v1alpha1.SecretTypeOpaque
	}
	return c.secretType
}

// unlessOpaque returns the type, or "" for Opaque.
func unlessOpaque(secretType v1alpha1.SecretType) v1alpha1.SecretType {
	if secretType == v1alpha1.SecretTypeOpaque {
		return ""
	}
	return secretType
}

// parseContents reads the annotation. Any other text than one that String returns is the zero value.
func parseContents(text string) contents {
	parts := strings.Split(text, " ")
	if len(parts) != 3 {
		return contents{}
	}
	return contents{secretType: unlessOpaque(v1alpha1.SecretType(parts[0])), dataKey: parts[1], hash: parts[2]}
}

// contents returns what the spec asks for.
func (t *Target) contents() contents {
	secretType := unlessOpaque(t.Secret.Type)
	if secretType == "" && len(t.Secret.StringData) == 0 {
		return contents{}
	}
	return contents{secretType: secretType, dataKey: t.dataKey(), hash: t.hashOfEntries()}
}

// mistypes reports whether a Secret of this type has to be replaced to get the type that the spec asks for. Where it
// asks for none, a Secret that Keywright has not given a type keeps its own.
func (t *Target) mistypes(found v1alpha1.SecretType, owned *fieldpath.Set) bool {
	wanted := t.contents()
	return found != wanted.typeOrOpaque() && (wanted.secretType != "" || owned.Has(typePath))
}

// hashOfEntries identifies the entries of stringData, names and values.
func (t *Target) hashOfEntries() string {
	var text strings.Builder
	for name, value := range t.entries() {
		text.WriteString(name + "\x00" + value + "\x00")
	}
	sum := sha256.Sum256([]byte(text.String()))
	return hex.EncodeToString(sum[:8])
}

// entries are those of stringData, sorted by name, but for an entry that Keywright writes itself.
func (t *Target) entries() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, name := range slices.Sorted(maps.Keys(t.Secret.StringData)) {
			if !t.isOwnEntry(name) && !yield(name, t.Secret.StringData[name]) {
				return
			}
		}
	}
}

// isOwnEntry reports whether Keywright writes an entry for the key itself or for its identity.
func (t *Target) isOwnEntry(name string) bool {
	_, isIdentity := t.Secret.Identity[name]
	return isIdentity || name == t.dataKey()
}

var (
	contentsPath = fieldpath.MakePathOrDie("metadata", "annotations", v1alpha1.AnnotationContents)
	typePath     = fieldpath.MakePathOrDie("type")
)

// record is the record of its contents that a Secret carries.
type record struct {
	contents
	// proven: no other writer has changed the record.
	proven bool
}

func recordOf(secret *metav1.PartialObjectMetadata, owned *fieldpath.Set) record {
	text, found := secret.Annotations[v1alpha1.AnnotationContents]
	written := parseContents(text)
	typed := written.secretType != ""
	return record{written, found == owned.Has(contentsPath) && typed == owned.Has(typePath)}
}

// ownsEntries reports whether no other writer has changed an entry beside the key since the contents were recorded.
func (t *Target) ownsEntries(owned *fieldpath.Set, written record) bool {
	for name := range t.Secret.Identity {
		if !owned.Has(dataPath(name)) {
			return false
		}
	}
	if written.hash != t.contents().hash {
		// The entries are about to be written again.
		return true
	}
	for name := range t.entries() {
		if !owned.Has(dataPath(name)) {
			return false
		}
	}
	return true
}

// entriesPatch returns the part of a merge patch that sets the entries beside the key as the spec asks. It is empty if
// nothing changes. Entries of other writers stay, and so does the key.
func (t *Target) entriesPatch(owned *fieldpath.Set, written record) map[string]any {
	changes := map[string]any{}
	for _, name := range ownedEntries(owned) {
		if _, wanted := t.Secret.StringData[name]; !wanted && !t.isOwnEntry(name) {
			changes[name] = nil
		}
	}
	if written.hash != t.contents().hash {
		for name, value := range t.entries() {
			changes[name] = base64.StdEncoding.EncodeToString([]byte(value))
		}
	}
	return changes
}

// ownedEntries are the names of the entries that Keywright wrote.
func ownedEntries(owned *fieldpath.Set) []string {
	var names []string
	// The loop runs to its end: the iterator of the library panics after a break.
	for path := range owned.WithPrefix(fieldpath.PathElement{FieldName: new("data")}).All() {
		if len(path) > 0 && path[0].FieldName != nil {
			names = append(names, *path[0].FieldName)
		}
	}
	return names
}

func dataPath(name string) fieldpath.Path { return fieldpath.MakePathOrDie("data", name) }
