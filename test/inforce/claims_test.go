package inforce

import (
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// bodiesOfClaims are the bodies that create a link of each kind. {name} is a new name.
func bodiesOfClaims(name string) []string {
	return []string{
		`{"kind":"user","username":"` + name + `"}`,
		`{"kind":"key","subject":"Account/` + name + `","key":{"name":"x"}}`,
	}
}

func ofClaims() map[string]map[string]operation {
	const path = "/api/admin/claims"
	claim := func(ctx SpecContext, made reply) reply {
		return askAs(ctx, http.Header{}, http.MethodPost, "/api/claim", `{"token":"`+made.body["token"].(string)+`"}`)
	}
	return map[string]map[string]operation{
		"POST " + path: {"gives no key yet": func(ctx SpecContext) []grant {
			for _, body := range bodiesOfClaims("link-only") {
				Expect(ask(ctx, http.MethodPost, path, body).body).NotTo(HaveKey("api_key"))
			}
			return nil
		}},
		"DELETE " + path + "/{id}": {"leaves the name to another user": func(ctx SpecContext) []grant {
			for _, body := range bodiesOfClaims("link-withdrawn") {
				made := ask(ctx, http.MethodPost, path, body)
				ask(ctx, http.MethodDelete, path+"/"+made.body["claim"].(map[string]any)["id"].(string), "")
			}
			made := ask(ctx, http.MethodPost, "/api/admin/users", `{"username":"link-withdrawn"}`)
			return []grant{{bearer(made.body["api_key"]), admitted}}
		}},
		"POST /api/claim": {"gives a key": func(ctx SpecContext) (grants []grant) {
			for _, body := range bodiesOfClaims("link-claimed") {
				claimed := claim(ctx, ask(ctx, http.MethodPost, path, body))
				grants = append(grants, grant{bearer(claimed.body["api_key"]), admitted})
			}
			return append(grants, rotatedByLink(ctx, claim)...)
		}},
	}
}

// rotatedByLink replaces a key of an admin and an API key by links.
func rotatedByLink(ctx SpecContext, claim func(SpecContext, reply) reply) (grants []grant) {
	const path = "/api/admin/claims"
	user := ask(ctx, http.MethodPost, "/api/admin/users", `{"username":"link-rotated"}`)
	key := ask(ctx, http.MethodPost, "/apiv1/accounts/link-rotated/apikeys", `{"name":"x"}`).body["data"].(map[string]any)
	for body, old := range map[string]any{
		`{"kind":"user-rotation","username":"link-rotated"}`:        user.body["api_key"],
		`{"kind":"key-rotation","id":"` + key["id"].(string) + `"}`: key["token"],
	} {
		claimed := claim(ctx, ask(ctx, http.MethodPost, path, body))
		grants = append(grants, grant{bearer(old), refused}, grant{bearer(claimed.body["api_key"]), admitted})
	}
	return grants
}
