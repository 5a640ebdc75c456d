package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// format is the version of the file. A later program reads earlier files.
const format = 1

// Head says what is in a file and where it is from.
type Head struct {
	Format    int       `json:"format"`
	CreatedAt time.Time `json:"createdAt"`
	// Cluster is the uid of namespace kube-system.
	Cluster string `json:"cluster"`
	// SystemNamespace is Keywright's own namespace.
	SystemNamespace string `json:"systemNamespace"`
	// Items is the number of objects, and SHA256 the hash of all.
	Items  int    `json:"items"`
	SHA256 string `json:"sha256"`
}

// Archive is a file. Its objects are in the order in which they are restored.
type Archive struct {
	Head
	Items []*unstructured.Unstructured
}

// file is the JSON of an Archive.
type file struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Head       *Head             `json:"keywrightBackup"`
	Items      []json.RawMessage `json:"items"`
}

// Encode returns the file.
func (a *Archive) Encode() ([]byte, error) {
	f := file{APIVersion: "v1", Kind: "List", Items: make([]json.RawMessage, len(a.Items))}
	for i, item := range a.Items {
		text, err := json.Marshal(item.Object)
		if err != nil {
			return nil, err
		}
		f.Items[i] = text
	}
	head := a.Head
	head.Format, head.Items = format, len(f.Items)
	var err error
	if head.SHA256, err = sum(f.Items); err != nil {
		return nil, err
	}
	f.Head = &head
	text, err := json.MarshalIndent(f, "", "  ")
	return append(text, '\n'), err
}

// sum hashes objects, however they are indented.
func sum(items []json.RawMessage) (string, error) {
	hash := sha256.New()
	for _, item := range items {
		var compact bytes.Buffer
		if err := json.Compact(&compact, item); err != nil {
			return "", err
		}
		compact.WriteByte('\n')
		_, _ = hash.Write(compact.Bytes())
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// Errors of files that cannot be restored. They repeat nothing of the file, which may have keys.
var (
	errIncomplete = errors.New("the file is not a complete backup: it ends too early, or is something else")
	errNoBackup   = errors.New("the file is not a backup of kubectl keywright backup")
	errChanged    = errors.New("the objects are not those that were written: the file is damaged, or was edited")
)

// kinds are those of the objects in a file. Objects of other kinds are not restored.
var kinds = []schema.GroupKind{
	{Group: "keywright.dev", Kind: "AccessRole"}, {Group: "keywright.dev", Kind: "AccessRoleBinding"},
	{Kind: "ConfigMap"}, {Kind: "Secret"},
	{Group: "keywright.dev", Kind: "AdminUser"}, {Group: "keywright.dev", Kind: "APIKey"},
}

// Decode reads a file.
func Decode(text []byte) (*Archive, error) {
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, errIncomplete
	}
	switch {
	case f.Kind != "List" || f.Head == nil:
		return nil, errNoBackup
	case f.Head.Format != format:
		return nil, fmt.Errorf("the file has format %d, and this program reads format %d", f.Head.Format, format)
	}
	hash, err := sum(f.Items)
	if err != nil || hash != f.Head.SHA256 || len(f.Items) != f.Head.Items {
		return nil, errChanged
	}
	a := &Archive{Head: *f.Head}
	for _, item := range f.Items {
		o := &unstructured.Unstructured{}
		if err := o.UnmarshalJSON(item); err != nil || !slices.Contains(kinds, o.GroupVersionKind().GroupKind()) {
			return nil, errNoBackup
		}
		a.Items = append(a.Items, o)
	}
	return a, nil
}
