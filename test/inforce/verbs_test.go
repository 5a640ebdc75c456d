package inforce

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/internal/httpapi/openapi"
)

// grant is what a credential has to be granted once a reply has come.
type grant struct {
	by   http.Header
	want access
}

// operation prepares what it needs, calls its verb last, and returns what the reply promises.
type operation func(ctx SpecContext) []grant

// changesNothing are the verbs that neither give nor take access.
var changesNothing = []string{
	"POST /introspect", "POST /api/token-usage", "POST /api/admin/token-usage/reprice", "POST /v1/traces",
}

var _ = Describe("A reply of management", func() {
	all := operations()
	for verb, byName := range all {
		for name, do := range byName {
			It("is in force: "+verb+" "+name, func(ctx SpecContext) {
				for i, g := range do(ctx) {
					Expect(granted(ctx, g.by)).To(Equal(g.want), "grant %d", i)
				}
			}, SpecTimeout(time.Minute))
		}
	}

	// A new verb needs rows: what it gives, and what it takes away.
	It("is in force, whatever the verb", func(ctx SpecContext) {
		offered := map[string]bool{}
		described, err := openapi.Operations()
		Expect(err).NotTo(HaveOccurred())
		for _, o := range described {
			if method, path, _ := strings.Cut(o, " "); method != http.MethodGet && path != "/graphql" {
				offered[o] = true
			}
		}
		for _, mutation := range mutations(ctx) {
			offered["mutation "+mutation] = true
		}
		Expect(slices.Sorted(maps.Keys(offered))).
			To(Equal(slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(all)), changesNothing...)))))
	})
})

func mutations(ctx SpecContext) (names []string) {
	r := ask(ctx, http.MethodPost, "/graphql", `{"query":"{ __schema { mutationType { fields { name } } } }"}`)
	var schema struct {
		Data struct {
			Schema struct {
				MutationType struct{ Fields []struct{ Name string } }
			} `json:"__schema"`
		}
	}
	Expect(json.Unmarshal([]byte(r.text), &schema)).To(Succeed())
	for _, field := range schema.Data.Schema.MutationType.Fields {
		names = append(names, field.Name)
	}
	return names
}

// ofKeys are the operations on a key that are below a pattern.
func ofKeys(pattern string, p paths) map[string]map[string]operation {
	return map[string]map[string]operation{
		"PATCH " + pattern + "/{id}":       changes(p),
		"POST " + pattern + "/{id}/rotate": rotations(p),
		"DELETE " + pattern + "/{id}":      deletions(p),
	}
}

func operations() map[string]map[string]operation {
	all := map[string]map[string]operation{}
	for pattern, path := range map[string]string{
		"users/{user}": "users/stays", "accounts/{account}": "accounts/ci",
		"integrations/{integration}": "integrations/lab-1",
	} {
		pattern, path := "/apiv1/"+pattern+"/apikeys", "/apiv1/"+path+"/apikeys"
		all["POST "+pattern] = creations(paths{path, path})
		maps.Copy(all, ofKeys(pattern, paths{path, path}))
	}
	maps.Copy(all, ofKeys("/apiv1/apikeys", paths{"/apiv1/accounts/ci/apikeys", "/apiv1/apikeys"}))
	all["POST /apiv1/self/rotate"] = ownRotations()
	maps.Copy(all, ofUsers())
	maps.Copy(all, ofSessions())
	maps.Copy(all, ofGraphQL())
	maps.Copy(all, ofClaims())
	return all
}
