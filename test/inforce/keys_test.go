package inforce

import (
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/api/v1alpha1"
)

// paths are the path below which keys are created, and the one below which they are found.
type paths struct{ create, find string }

// key is a key that REST has created.
type key struct{ path, token string }

func (k key) header() http.Header { return bearer(k.token) }

func create(ctx SpecContext, p paths, fields string) key {
	GinkgoHelper()
	data := ask(ctx, http.MethodPost, p.create, `{"name":"x"`+fields+`}`).body["data"].(map[string]any)
	return key{p.find + "/" + data["id"].(string), data["token"].(string)}
}

func creations(p paths) map[string]operation {
	return map[string]operation{
		"gives a key": func(ctx SpecContext) []grant {
			return []grant{{create(ctx, p, `,"expires_in_seconds":3600`).header(), admitted}}
		},
		"gives a key with a role that was created just before": func(ctx SpecContext) []grant {
			return []grant{{create(ctx, p, `,"roles":["`+role(ctx)+`"]`).header(), admitted}}
		},
		"gives no disabled key": func(ctx SpecContext) []grant {
			return []grant{{create(ctx, p, `,"enabled":false`).header(), refused}}
		},
	}
}

// role creates an AccessRole that the server may not have seen yet, and returns its name.
func role(ctx SpecContext) string {
	GinkgoHelper()
	r := &v1alpha1.AccessRole{}
	r.GenerateName = "fresh-"
	r.Spec.Permissions = []v1alpha1.Permission{{
		Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{"certs.read"}, Resources: []v1alpha1.Resource{"*"},
	}}
	Expect(s.Client.Create(ctx, r)).To(Succeed())
	return r.Name
}

// change is a PATCH of a key.
type change struct {
	// fields are those that the key is created with.
	fields string
	// ended waits until the key has reached its end.
	ended bool
	body  string
	want  access
}

func changes(p paths) map[string]operation {
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	const ending, scopes = `,"expires_in_seconds":1`, `,"scopes":["certs.read"]`
	all := map[string]operation{
		"gives a role that was created just before": func(ctx SpecContext) []grant {
			k := create(ctx, p, "")
			ask(ctx, http.MethodPatch, k.path, `{"roles":["`+role(ctx)+`"]}`)
			return []grant{{k.header(), admitted}}
		},
	}
	for name, c := range map[string]change{
		"takes a key away":                       {"", false, `{"enabled":false}`, refused},
		"gives a key back":                       {`,"enabled":false`, false, `{"enabled":true}`, admitted},
		"gives an ended key back by an instant":  {ending, true, fmt.Sprintf(`{"expires_at":%q}`, later), admitted},
		"gives an ended key back by a lifetime":  {ending, true, `{"expires_in_seconds":3600}`, admitted},
		"gives an ended key back without an end": {ending, true, `{"expires_at":null}`, admitted},
		"leaves an ended key ended":              {ending, true, `{"enabled":true}`, refused},
		"gives scopes":                           {scopes, false, `{"scopes":["certs.read","certs.write"]}`, scoped("certs.read certs.write")},
		"takes scopes away":                      {scopes, false, `{"scopes":[]}`, admitted},
		"gives an ended key scopes and time": {
			ending + scopes, true, `{"expires_in_seconds":3600,"scopes":["certs.write"]}`, scoped("certs.write"),
		},
	} {
		all[name] = func(ctx SpecContext) []grant {
			k := create(ctx, p, c.fields)
			if c.ended {
				ends(ctx, k.token)
			}
			ask(ctx, http.MethodPatch, k.path, c.body)
			return []grant{{k.header(), c.want}}
		}
	}
	return all
}

var _ = Describe("A change with kubectl", func() {
	It("of the end of a key needs no operator either", func(ctx SpecContext) {
		data := ask(ctx, http.MethodPost, "/apiv1/accounts/ci/apikeys", `{"name":"x","expires_in_seconds":1}`).
			body["data"].(map[string]any)
		token, object := data["token"].(string), data["object"].(map[string]any)
		ends(ctx, token)
		_, err := s.Kubectl(ctx, "patch", "apikey", object["name"].(string), "-n", object["namespace"].(string),
			"--type=merge", "-p", `{"spec":{"ttl":"1h"}}`)
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, func() access { return granted(ctx, bearer(token)) }).Should(Equal(admitted))
	})
})

func rotations(p paths) map[string]operation {
	return map[string]operation{
		"gives a key and takes the former one away": func(ctx SpecContext) []grant {
			k := create(ctx, p, "")
			data := ask(ctx, http.MethodPost, k.path+"/rotate", "").body["data"].(map[string]any)
			return []grant{{bearer(data["token"]), admitted}, {k.header(), refused}}
		},
		"gives a new lifetime": func(ctx SpecContext) []grant {
			k := create(ctx, p, `,"expires_in_seconds":1`)
			ends(ctx, k.token)
			ask(ctx, http.MethodPatch, k.path, `{"expires_in_seconds":3600}`)
			data := ask(ctx, http.MethodPost, k.path+"/rotate", "").body["data"].(map[string]any)
			return []grant{{bearer(data["token"]), admitted}, {k.header(), refused}}
		},
	}
}

// ownRotations are of the key that the caller presents.
func ownRotations() map[string]operation {
	rotate := func(ctx SpecContext, by http.Header, body string) http.Header {
		GinkgoHelper()
		r := askAs(ctx, by, http.MethodPost, "/apiv1/self/rotate", body)
		return bearer(r.body["data"].(map[string]any)["token"])
	}
	account := paths{"/apiv1/accounts/ci/apikeys", "/apiv1/apikeys"}
	const renews = `,"scopes":["apikeys.renew-self"],"expires_in_seconds":3600`
	return map[string]operation{
		"gives an API key and takes the former one away": func(ctx SpecContext) []grant {
			k := create(ctx, account, renews)
			return []grant{{rotate(ctx, k.header(), ""), scoped("apikeys.renew-self")}, {k.header(), refused}}
		},
		"leaves the former key its overlap": func(ctx SpecContext) []grant {
			k, want := create(ctx, account, renews), scoped("apikeys.renew-self")
			return []grant{{rotate(ctx, k.header(), `{"overlap_seconds":600}`), want}, {k.header(), want}}
		},
		"gives an admin's key and takes the former one away": func(ctx SpecContext) []grant {
			a := newAdmin(ctx)
			return []grant{{rotate(ctx, a.header(), ""), admitted}, {a.header(), refused}}
		},
	}
}

func deletions(p paths) map[string]operation {
	return map[string]operation{"takes a key away": func(ctx SpecContext) []grant {
		k := create(ctx, p, "")
		ask(ctx, http.MethodDelete, k.path, "")
		return []grant{{k.header(), refused}}
	}}
}
