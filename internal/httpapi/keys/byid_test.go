package keys_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/test/fakeobjects"
)

func TestByID_ListsWhatTheCallerMaySee(t *testing.T) {
	env := newEnv(t)
	env.made(t, "users/bob", `{"name":"of bob"}`)
	env.made(t, "accounts/lab", `{"name":"of lab"}`)
	env.made(t, "integrations/lab-1", `{"name":"of lab-1"}`)
	names := func(key, query string) string {
		t.Helper()
		r := env.ask(t, key, "GET", "/apiv1/apikeys"+query, "")
		if r.status != 200 {
			return fmt.Sprint(r.status, " ", r.what)
		}
		var all []string
		for _, item := range r.data["items"].([]any) {
			if name := item.(map[string]any)["name"].(string); strings.HasPrefix(name, "of ") {
				all = append(all, name)
			}
		}
		slices.Sort(all)
		return strings.Join(all, ", ")
	}
	const lacks = "403 API key lacks required permission"
	for _, c := range []struct{ name, key, query, want string }{
		{"an admin sees all", fakeobjects.AliceKey, "?limit=1000", "of bob, of lab, of lab-1"},
		{"the bootstrap key sees all", fakeobjects.BootstrapKey, "?limit=1000", "of bob, of lab, of lab-1"},
		{"an admin chooses a subject", fakeobjects.AliceKey, "?subject=Account/lab", "of lab"},
		{"an admin chooses a name", fakeobjects.AliceKey, "?name=of%20lab*", "of lab, of lab-1"},
		{"a person sees their own", bobKey, "?limit=1000", "of bob"},
		{"a person chooses themselves", bobKey, "?subject=User/bob", "of bob"},
		{"a person chooses another", bobKey, "?subject=User/alice", lacks},
		{"a key without the right", bobReads, "", lacks},
		{"an anonymous caller", "", "", "401 invalid token"},
		{
			"no kind", fakeobjects.AliceKey, "?subject=bob",
			"400 subject: must be User/<name>, Account/<name> or Integration/<name>",
		},
		{"two subjects", fakeobjects.AliceKey, "?subject=User/bob&subject=User/bob", "400 subject: is given twice"},
		{"a query that can't be read", fakeobjects.AliceKey, "?subject=User/bob&%zz", "400 query: can't be read"},
		{"a bad limit", fakeobjects.AliceKey, "?subject=User/bob&limit=0", "400 limit: must be a number from 1 to 1000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := names(c.key, c.query); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// An id is enough for everything that can be done with a key; another's id is like one that does not exist.
func TestByID_IsTheSameKey(t *testing.T) {
	env := newEnv(t)
	for _, owner := range []string{"users/bob", "accounts/lab", "integrations/lab-1"} {
		t.Run(owner, func(t *testing.T) {
			path, token := env.made(t, owner, `{"name":"x"}`)
			id := path[strings.LastIndex(path, "/")+1:]
			byID := "/apiv1/apikeys/" + id
			a, b := env.ask(t, admin, "GET", byID, ""), env.ask(t, admin, "GET", path, "")
			if a.status != 200 || a.body != b.body {
				t.Errorf("%s\n%s", a.body, b.body)
			}
			if r := env.ask(t, admin, "PATCH", byID, `{"name":"y"}`); r.status != 200 || r.data["name"] != "y" {
				t.Error(r.body)
			}
			r := env.ask(t, admin, "POST", byID+"/rotate", "")
			if r.status != 200 || r.data["id"] != id || r.data["token"] == token {
				t.Error(r.body)
			}
			if r := env.ask(t, admin, "DELETE", byID, ""); r.status != 200 || r.data["deleted"] != id {
				t.Error(r.body)
			}
			env.ask(t, admin, "GET", byID, "").want(t, 404, 4001, "API key not found")
		})
	}
}

func TestByID_KeyOfAnAccountRenewsItself(t *testing.T) {
	env := newEnv(t)
	path, token := env.made(t, "accounts/lab", `{"name":"x","scopes":["apikeys.renew-self"],"expires_in_seconds":60}`)
	id := path[strings.LastIndex(path, "/")+1:]
	if r := env.ask(t, token, "POST", "/apiv1/apikeys/"+id+"/rotate", ""); r.status != 200 {
		t.Error(r.body)
	}
}
