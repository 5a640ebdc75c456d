package keylogs

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/httpapi/openapi"
)

// target is one replica.
type target struct {
	url, proxy, extAuthz string
}

type answer struct {
	status int
	body   []byte
}

// send sends a request by the bootstrap key, unless the header has a credential.
func send(ctx context.Context, method, address string, header http.Header, body string) answer {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	maps.Copy(request.Header, header)
	if body != "" && request.Header.Get("Content-Type") == "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	return answer{response.StatusCode, content}
}

func byBootstrap() http.Header { return http.Header{"Authorization": {"Bearer " + s.BootstrapKey}} }

// endpoint is one operation of the OpenAPI document.
type endpoint struct {
	method, path string
	// fields are all property names in the schema of its body.
	fields []string
}

var wildcard = regexp.MustCompile(`\{[^}]*\}`)

// endpoints returns every operation of the OpenAPI document.
func endpoints() (all []endpoint) {
	GinkgoHelper()
	document := map[string]any{}
	Expect(yaml.Unmarshal(openapi.Document(), &document)).To(Succeed())
	for path, item := range document["paths"].(map[string]any) {
		for method, described := range item.(map[string]any) {
			if operation, ok := described.(map[string]any); ok && method != "parameters" {
				fields := map[string]bool{}
				collectFields(document, operation["requestBody"], fields, 0)
				all = append(all, endpoint{strings.ToUpper(method), path, slices.Sorted(maps.Keys(fields))})
			}
		}
	}
	Expect(len(all)).To(BeNumerically(">", 20))
	return all
}

// collectFields collects the names of properties in a part of the document, with what it refers to.
func collectFields(document map[string]any, part any, fields map[string]bool, depth int) {
	const deepest = 20
	if depth > deepest {
		return
	}
	switch part := part.(type) {
	case []any:
		for _, p := range part {
			collectFields(document, p, fields, depth+1)
		}
	case map[string]any:
		if reference, ok := part["$ref"].(string); ok {
			collectFields(document, resolve(document, reference), fields, depth+1)
		}
		if properties, ok := part["properties"].(map[string]any); ok {
			for name := range properties {
				fields[name] = true
			}
		}
		for name, p := range part {
			if name != "example" && name != "examples" {
				collectFields(document, p, fields, depth+1)
			}
		}
	}
}

func resolve(document map[string]any, reference string) any {
	var part any = document
	for name := range strings.SplitSeq(strings.TrimPrefix(reference, "#/"), "/") {
		object, _ := part.(map[string]any)
		part = object[name]
	}
	return part
}

// surfaces are the URLs below which every path is sent.
func (r target) surfaces() []string { return []string{r.url, r.proxy} }

func inPath(ctx context.Context, r target, key string) {
	for _, e := range endpoints() {
		address := r.url + wildcard.ReplaceAllLiteralString(e.path, url.PathEscape(key))
		send(ctx, e.method, address, byBootstrap(), bodyFor(e, "x"))
		send(ctx, e.method, address, nil, "")
		for _, body := range []string{`{}`, `{"role":"admin"}`, `{"name":"x"}`} {
			send(ctx, e.method, address+"?forget=true", byBootstrap(), body)
		}
		segments := strings.Split(strings.Trim(e.path, "/"), "/")
		for i := range segments {
			changed := slices.Clone(segments)
			changed[i] = url.PathEscape(key)
			send(ctx, e.method, r.url+"/"+strings.Join(changed, "/"), byBootstrap(), "")
		}
	}
	for _, surface := range r.surfaces() {
		for _, path := range []string{"/", "/auth/", "/a/b/", "/%2F", "//", "/introspect/"} {
			send(ctx, http.MethodGet, surface+path+url.PathEscape(key), byBootstrap(), "")
		}
	}
}

func inQuery(ctx context.Context, r target, key string) {
	for _, name := range []string{"token", "name", "forget"} {
		one := url.Values{name: {key}}.Encode()
		for _, e := range endpoints() {
			send(ctx, e.method, r.url+wildcard.ReplaceAllString(e.path, "x")+"?"+one, byBootstrap(), bodyFor(e, "x"))
		}
		for _, surface := range r.surfaces() {
			send(ctx, http.MethodGet, surface+"/auth?"+one, byBootstrap(), "")
			send(ctx, http.MethodGet, surface+"/x?"+url.QueryEscape(key)+"&"+key, byBootstrap(), "")
		}
	}
}

// paths are one path of each surface.
var paths = []string{"/auth", "/introspect", "/api/admin/users", "/apiv1/apikeys", "/graphql"}

func inHeader(ctx context.Context, r target, key string) {
	names := []string{"User-Agent", "Referer", "Origin", "Accept", "Content-Type", "If-None-Match", "Upgrade", "X-Other"}
	for _, known := range gate.KnownHeaders() {
		names = append(names, known.Name, strings.ReplaceAll(known.Name, "-", "_"))
	}
	for _, name := range names {
		for _, header := range []http.Header{{}, byBootstrap()} {
			header[name] = []string{key}
			for _, path := range paths {
				send(ctx, http.MethodPost, r.url+path, header, "{}")
			}
			send(ctx, http.MethodGet, r.proxy+"/x", header, "")
		}
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(key+":"+key))
	for _, value := range []string{"Bearer " + key, basic, "Token " + key, "Bearer x" + key} {
		for _, path := range paths {
			send(ctx, http.MethodPost, r.url+path, http.Header{"Authorization": {value}}, "{}")
		}
		send(ctx, http.MethodGet, r.proxy+"/x", http.Header{"Authorization": {value}}, "")
	}
}

func inCookie(ctx context.Context, r target, key string) {
	for _, name := range []string{"keywright_session", "keywright_user", "other"} {
		for _, value := range []string{key, url.PathEscape(key)} {
			header := http.Header{"Cookie": {name + "=" + value}}
			for _, path := range paths {
				send(ctx, http.MethodGet, r.url+path, header, "")
				send(ctx, http.MethodPost, r.url+path, header, "{}")
			}
			send(ctx, http.MethodGet, r.proxy+"/x", header, "")
		}
	}
}

// bodyFor returns a body in which every field has the value, or "" for an operation without a body.
func bodyFor(e endpoint, value string) string {
	if len(e.fields) == 0 {
		return ""
	}
	body := map[string]string{}
	for _, field := range e.fields {
		body[field] = value
	}
	return asJSON(body)
}

func asJSON(v any) string {
	GinkgoHelper()
	text, err := json.Marshal(v)
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

func inBody(ctx context.Context, r target, key string) {
	for _, e := range endpoints() {
		address := r.url + wildcard.ReplaceAllString(e.path, "x")
		bodies := []string{bodyFor(e, key), asJSON(map[string]string{key: "x"}), asJSON(key), asJSON([]string{key}), key}
		for _, field := range e.fields {
			bodies = append(bodies, asJSON(map[string]string{field: key}), asJSON(map[string][]string{field: {key}}))
		}
		for _, body := range bodies {
			send(ctx, e.method, address, byBootstrap(), body)
			send(ctx, e.method, address, nil, body)
		}
	}
	form := byBootstrap()
	form.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, body := range []string{"token=" + url.QueryEscape(key), "token=" + key, key} {
		send(ctx, http.MethodPost, r.url+"/introspect", form, body)
	}
	for _, query := range []string{
		`mutation($k: String!) { createToken(token: {name: $k, policy: $k, category: $k}) { id } }`,
		`mutation($k: String!) { createCurrentUserToken(input: {name: $k, expiresAt: 4102444800000}) { id } }`,
		`mutation($k: String!) { createIntegrationInstanceToken(id: $k) { tokenId } }`,
		`mutation($k: String!) { revokeToken(id: $k) { id } }`,
		`mutation($k: String!) { revokeIntegrationInstanceToken(tokenId: $k) { success } }`,
		`query($k: String!) { integrationInstanceTokens(id: $k) { tokens { id } } tokens(cursor: $k) { items { id } } }`,
		`query($k: ID!) { token(id: $k) { id } }`,
		key, "{ " + key + " }", `{ token(id: ` + asJSON(key) + `) { id } }`,
	} {
		body := asJSON(map[string]any{"query": query, "operationName": "", "variables": map[string]string{"k": key}})
		send(ctx, http.MethodPost, r.url+"/graphql", byBootstrap(), body)
	}
}
