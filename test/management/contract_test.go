package management

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	. "github.com/onsi/gomega"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/internal/httpapi/openapi"
)

const documentURL = "https://keywright.dev/openapi.json"

// contract is the OpenAPI document. Every reply of the suite has to conform to it.
type contract struct {
	compiler *jsonschema.Compiler
	mux      *http.ServeMux

	mu sync.Mutex
	// seen are the replies so far, such as GET /api/auth/me 200.
	seen map[string]bool
}

// operation is an http.Handler only so that a mux can find a path's operation.
type operation struct {
	http.Handler
	path, method string
	responses    map[string]any
}

func newContract() *contract {
	asJSON, err := yaml.YAMLToJSON(openapi.Document())
	Expect(err).NotTo(HaveOccurred())
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	Expect(err).NotTo(HaveOccurred())
	c := &contract{compiler: jsonschema.NewCompiler(), mux: http.NewServeMux(), seen: map[string]bool{}}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	Expect(c.compiler.AddResource(documentURL, document)).To(Succeed())
	for path, item := range document.(map[string]any)["paths"].(map[string]any) {
		for method, o := range item.(map[string]any) {
			if described, ok := o.(map[string]any); ok && method != "parameters" {
				method := strings.ToUpper(method)
				c.mux.Handle(method+" "+path,
					operation{path: path, method: method, responses: described["responses"].(map[string]any)})
			}
		}
	}
	return c
}

// check compares a reply with the document. It ignores requests that the document does not describe.
func (c *contract) check(request *http.Request, status int, body []byte) error {
	found, _ := c.mux.Handler(request)
	o, ok := found.(operation)
	if !ok {
		return nil
	}
	response, described := o.responses[fmt.Sprint(status)].(map[string]any)
	if !described {
		return fmt.Errorf("%s %s: the document has no reply %d: %s", o.method, o.path, status, body)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[fmt.Sprintf("%s %s %d", o.method, o.path, status)] = true
	if content, _ := response["content"].(map[string]any); content != nil && content["application/json"] == nil {
		// An export is not JSON.
		return nil
	}
	pointer := pointerTo(o, status)
	if ref, ok := response["$ref"].(string); ok {
		pointer = strings.TrimPrefix(ref, "#")
	}
	schema, err := c.compiler.Compile(documentURL + "#" + pointer + "/content/application~1json/schema")
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s %s: the reply is not JSON: %w", o.method, o.path, err)
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("%s %s %d: %w", o.method, o.path, status, err)
	}
	return nil
}

func pointerTo(o operation, status int) string {
	path := strings.NewReplacer("~", "~0", "/", "~1").Replace(o.path)
	return fmt.Sprintf("/paths/%s/%s/responses/%d", path, strings.ToLower(o.method), status)
}

// unseen returns the operations without a successful reply.
func (c *contract) unseen() (names []string) {
	asJSON, err := yaml.YAMLToJSON(openapi.Document())
	Expect(err).NotTo(HaveOccurred())
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	Expect(json.Unmarshal(asJSON, &document)).To(Succeed())
	for path, item := range document.Paths {
		for method := range item {
			name := strings.ToUpper(method) + " " + path
			if method != "parameters" && path != "/auth" && path != "/introspect" && !c.seen[name+" 200"] &&
				!c.seen[name+" 201"] {
				names = append(names, name)
			}
		}
	}
	return names
}
