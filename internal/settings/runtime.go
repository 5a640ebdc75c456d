package settings

import (
	"encoding/json"
	"fmt"
)

// RuntimeKey is the key of ConfigMap keywright-runtime that holds the document.
const RuntimeKey = "runtime.json"

// Runtime is what the server runs with. It holds no secret.
type Runtime struct {
	// BootstrapDigest is the digest of the bootstrap key, as status records one. Empty: there is no such key.
	BootstrapDigest string `json:"bootstrapDigest,omitempty"`
}

// Encode writes the document. The same settings give the same bytes.
func (r Runtime) Encode() string {
	document, err := json.Marshal(r)
	if err != nil {
		panic("a struct of strings can't fail to be marshalled: " + err.Error())
	}
	return string(document)
}

// ParseRuntime reads the document. A field it does not know is from a newer operator and is passed over.
func ParseRuntime(document string) (Runtime, error) {
	var r Runtime
	if err := json.Unmarshal([]byte(document), &r); err != nil {
		return Runtime{}, fmt.Errorf("the runtime document can't be read: %w", err)
	}
	return r, nil
}
