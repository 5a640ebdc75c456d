package inforce

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// users counts the users that were created.
var users int

// admin is an admin that REST has created.
type admin struct{ name, path, key string }

func (a admin) header() http.Header { return bearer(a.key) }

// keys is the path of the user's APIKeys.
func (a admin) keys() paths {
	path := "/apiv1/users/" + a.name + "/apikeys"
	return paths{path, path}
}

func newAdmin(ctx SpecContext) admin {
	GinkgoHelper()
	users++
	name := fmt.Sprintf("admin-%d", users)
	made := ask(ctx, http.MethodPost, "/api/admin/users", `{"username":"`+name+`"}`)
	return admin{name, "/api/admin/users/" + name, made.body["api_key"].(string)}
}

func ofUsers() map[string]map[string]operation {
	const verb = " /api/admin/users"
	return map[string]map[string]operation{
		"POST" + verb: {"gives a key": func(ctx SpecContext) []grant {
			return []grant{{newAdmin(ctx).header(), admitted}}
		}},
		"DELETE" + verb + "/{username}": {"takes the keys away": func(ctx SpecContext) []grant {
			a := newAdmin(ctx)
			k := create(ctx, a.keys(), "")
			ask(ctx, http.MethodDelete, a.path, "")
			return []grant{{a.header(), refused}, {k.header(), refused}}
		}},
		"PATCH" + verb + "/{username}": {
			"takes the keys away": func(ctx SpecContext) []grant {
				a := newAdmin(ctx)
				k := create(ctx, a.keys(), "")
				ask(ctx, http.MethodPatch, a.path, `{"enabled":false}`)
				return []grant{{a.header(), refused}, {k.header(), refused}}
			},
			"gives the keys back": func(ctx SpecContext) []grant {
				a := newAdmin(ctx)
				k := create(ctx, a.keys(), "")
				ask(ctx, http.MethodPatch, a.path, `{"enabled":false}`)
				ask(ctx, http.MethodPatch, a.path, `{"enabled":true}`)
				return []grant{{a.header(), admitted}, {k.header(), admitted}}
			},
		},
		"PUT" + verb + "/{username}/role": {
			"takes the key away": func(ctx SpecContext) []grant {
				a := newAdmin(ctx)
				ask(ctx, http.MethodPut, a.path+"/role", `{"role":"user"}`)
				return []grant{{a.header(), refused}}
			},
			"gives a key, and not the former one": func(ctx SpecContext) []grant {
				a := newAdmin(ctx)
				ask(ctx, http.MethodPut, a.path+"/role", `{"role":"user"}`)
				promoted := ask(ctx, http.MethodPut, a.path+"/role", `{"role":"admin"}`)
				return []grant{{bearer(promoted.body["api_key"]), admitted}, {a.header(), refused}}
			},
		},
		"POST" + verb + "/{username}/rotate-key": rotationsOfAdmins(),
	}
}

func rotationsOfAdmins() map[string]operation {
	return map[string]operation{
		"gives a key and takes the former one away": func(ctx SpecContext) []grant {
			a := newAdmin(ctx)
			rotated := ask(ctx, http.MethodPost, a.path+"/rotate-key", "")
			return []grant{{bearer(rotated.body["new_api_key"]), admitted}, {a.header(), refused}}
		},
		"gives a brought key": func(ctx SpecContext) []grant {
			a := newAdmin(ctx)
			brought := "brought-by-" + a.name
			ask(ctx, http.MethodPost, a.path+"/rotate-key", `{"new_key":"`+brought+`"}`)
			return []grant{{bearer(brought), admitted}, {a.header(), refused}}
		},
		"leaves the former key its overlap": func(ctx SpecContext) []grant {
			a := newAdmin(ctx)
			overlap := `{"spec":{"rotation":{"overlap":"1h"}}}`
			user := &v1alpha1.AdminUser{}
			user.Namespace, user.Name = stack.Namespace, a.name
			Expect(s.Client.Patch(ctx, user, client.RawPatch("application/merge-patch+json", []byte(overlap)))).To(Succeed())
			rotated := ask(ctx, http.MethodPost, a.path+"/rotate-key", "")
			return []grant{{bearer(rotated.body["new_api_key"]), admitted}, {a.header(), admitted}}
		},
		"promises nothing that needs the operator": func(ctx SpecContext) []grant {
			rotated := ask(ctx, http.MethodPost, "/api/admin/users/stays/rotate-key", "")
			Expect(rotated.body).NotTo(HaveKey("new_api_key"))
			Expect(rotated.body).To(HaveKeyWithValue("secret", HaveKeyWithValue("name", "stays-admin-key")))
			return nil
		},
	}
}

func login(ctx SpecContext, a admin) http.Header {
	GinkgoHelper()
	r := askAs(ctx, http.Header{}, http.MethodPost, "/api/auth/login",
		`{"username":"`+a.name+`","api_key":"`+a.key+`"}`)
	for _, cookie := range r.header.Values("Set-Cookie") {
		if session, _, _ := strings.Cut(cookie, ";"); strings.HasPrefix(session, "keywright_session=") {
			return http.Header{"Cookie": {session}}
		}
	}
	Fail("no session: " + r.text)
	return nil
}

func ofSessions() map[string]map[string]operation {
	return map[string]map[string]operation{
		"POST /api/auth/login": {"gives a session": func(ctx SpecContext) []grant {
			return []grant{{login(ctx, newAdmin(ctx)), admitted}}
		}},
		"POST /api/auth/logout": {"takes the session away": func(ctx SpecContext) []grant {
			session := login(ctx, newAdmin(ctx))
			askAs(ctx, session, http.MethodPost, "/api/auth/logout", "")
			return []grant{{session, refused}}
		}},
	}
}

func ofGraphQL() map[string]map[string]operation {
	const everything = `{\"permissions\":[{\"effect\":\"ALLOW\",\"actions\":[\"*\"],\"resources\":[\"*\"]}]}`
	const account = `createToken(token: {name: "x", policy: "` + everything + `"}) { id token }`
	const integration = `createIntegrationInstanceToken(id: "lab-1") { tokenId token }`
	return map[string]map[string]operation{
		"mutation createToken": {"gives a key": func(ctx SpecContext) []grant {
			return []grant{{bearer(mutate(ctx, "createToken", account)["token"]), admitted}}
		}},
		"mutation createCurrentUserToken": {"gives a key": func(ctx SpecContext) []grant {
			a := newAdmin(ctx)
			body := fmt.Sprintf(`{"query":"mutation { createCurrentUserToken(input: {name: \"x\", expiresAt: %d}) { token } }"}`,
				time.Now().Add(time.Hour).UnixMilli())
			r := askAs(ctx, a.header(), http.MethodPost, "/graphql", body)
			token := r.body["data"].(map[string]any)["createCurrentUserToken"].(map[string]any)["token"]
			return []grant{{bearer(token), admitted}}
		}},
		"mutation createIntegrationInstanceToken": {"gives a key": func(ctx SpecContext) []grant {
			return []grant{{bearer(mutate(ctx, "createIntegrationInstanceToken", integration)["token"]), admitted}}
		}},
		"mutation revokeToken": {"takes a key away": func(ctx SpecContext) []grant {
			made := mutate(ctx, "createToken", account)
			mutate(ctx, "revokeToken", fmt.Sprintf(`revokeToken(id: %q) { revoked }`, made["id"]))
			return []grant{{bearer(made["token"]), refused}}
		}},
		"mutation revokeIntegrationInstanceToken": {"takes a key away": func(ctx SpecContext) []grant {
			made := mutate(ctx, "createIntegrationInstanceToken", integration)
			mutate(ctx, "revokeIntegrationInstanceToken",
				fmt.Sprintf(`revokeIntegrationInstanceToken(tokenId: %q) { success }`, made["tokenId"]))
			return []grant{{bearer(made["token"]), refused}}
		}},
	}
}
