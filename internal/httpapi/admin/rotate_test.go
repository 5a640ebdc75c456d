package admin_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/objects"
)

func TestUsers_RotateKey(t *testing.T) {
	for name, c := range map[string]struct{ key, who, body, want string }{
		"another's":          {aliceKey, "bob", ``, ""},
		"one's own":          {bobKey, "bob", `{}`, ""},
		"null":               {aliceKey, "bob", `{"new_key":null}`, ""},
		"empty":              {aliceKey, "bob", `{"new_key":""}`, ""},
		"brought":            {aliceKey, "bob", `{"new_key":"a-key-that-bob-brought"}`, "a-key-that-bob-brought"},
		"of one at least":    {aliceKey, "bob", `{"new_key":"0123456789abcdef"}`, "0123456789abcdef"},
		"of 256 at most":     {aliceKey, "bob", `{"new_key":"` + strings.Repeat("~", 256) + `"}`, strings.Repeat("~", 256)},
		"a disabled admin's": {aliceKey, "off", ``, ""},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			r := env.ask("POST", of(c.who)+"/rotate-key", c.key, c.body)
			key := field(t, r, "new_api_key")
			if r.Code != 200 || r.Body.String() != `{"username":"`+c.who+`","new_api_key":"`+key+`"}`+"\n" || c.want != "" && key != c.want {
				t.Fatalf("%d %s", r.Code, r.Body)
			}
			if old := env.ask("GET", "/api/auth/me", bobKey, ""); c.who == "bob" && field(t, old, "username") != "" {
				t.Error("the earlier key is accepted")
			}
			if me := env.ask("GET", "/api/auth/me", key, ""); c.who == "bob" && field(t, me, "username") != "bob" {
				t.Error(me.Body)
			}
			checkTrail(t, env, "user.rotate User/"+c.who+" done")
		})
	}
}

func TestRotateKey_RequestsRotationForSecret(t *testing.T) {
	env := newEnv(t)
	r := env.ask("POST", of("git")+"/rotate-key", aliceKey, "")
	if r.Code != 200 || r.Body.String() != `{"username":"git","secret":{"namespace":"keywright-system","name":"git-admin-key"}}`+"\n" {
		t.Fatalf("%d %s", r.Code, r.Body)
	}
	if env.registry.AdminUser("git").Annotations[v1alpha1.AnnotationRotate] == "" ||
		!slices.Equal(env.events(), []string{"git RotationRequested"}) {
		t.Error(env.events())
	}
}

func TestLastAdmin_CannotBeRemoved(t *testing.T) {
	env := newEnv(t)
	for _, name := range []string{"bob", "git"} {
		u := env.registry.AdminUser(name)
		u.Spec.Role = v1alpha1.RoleUser
		if err := env.registry.Change(
			t.Context(), u, func(o objects.Object) { o.(*v1alpha1.AdminUser).Spec.Role = v1alpha1.RoleUser },
		); err != nil {
			t.Fatal(err)
		}
	}
	env.registry.Reset()
	for _, c := range []struct{ method, path, body, detail string }{
		{"DELETE", of("alice"), "", "Cannot delete the last admin user"},
		{"PUT", of("alice") + "/role", `{"role":"user"}`, "Cannot demote the last admin user"},
	} {
		if r := env.ask(c.method, c.path, bootstrapKey, c.body); r.Code != 400 || detail(r) != c.detail {
			t.Errorf("%d %s", r.Code, r.Body)
		}
	}
	// A disabled admin does not count and may be deleted.
	if r := env.ask("DELETE", of("off"), bootstrapKey, ""); r.Code != 200 {
		t.Error(r.Code, r.Body)
	}
	if !slices.Equal(env.registry.Writes(), []string{"delete off"}) {
		t.Error(env.registry.Writes())
	}
}

// Admission goes by the anchor, which may lag behind the server's own count.
func TestLastAdmin_WaitsForAnchor(t *testing.T) {
	env := newEnv(t)
	env.registry.LastAdminLags = 2
	if r := env.ask("DELETE", of("bob"), aliceKey, ""); r.Code != 200 {
		t.Fatal(r.Code, r.Body)
	}
}

// Of the last two admins one stays when both are removed at once.
func TestLastAdmin_OneOfTwoConcurrentRemovalsIsRefused(t *testing.T) {
	for range 20 {
		env := newEnv(t)
		if r := env.ask("DELETE", of("git"), aliceKey, ""); r.Code != 409 {
			t.Fatal(r.Code)
		}
		u := env.registry.AdminUser("git")
		if err := env.registry.Delete(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		codes := make(chan int, 2)
		go func() { codes <- env.ask("PUT", of("bob")+"/role", bootstrapKey, `{"role":"user"}`).Code }()
		go func() { codes <- env.ask("DELETE", of("alice"), bootstrapKey, "").Code }()
		if sum := <-codes + <-codes; sum != 600 {
			t.Fatalf("the statuses add up to %d, want 200 and 400", sum)
		}
	}
}

func TestRotateKey_AdoptsKeyForOneOfManyUsers(t *testing.T) {
	env := newEnv(t)
	names := []string{"bob", "off", "alice"}
	codes := make(chan int, len(names))
	for _, name := range names {
		go func() {
			codes <- env.ask("POST", of(name)+"/rotate-key", bootstrapKey, `{"new_key":"a-key-that-many-brought"}`).Code
		}()
	}
	won := 0
	for range names {
		switch code := <-codes; code {
		case http.StatusOK:
			won++
		case http.StatusConflict:
		default:
			t.Error(code)
		}
	}
	if won != 1 {
		t.Errorf("%d of them have it", won)
	}
}
