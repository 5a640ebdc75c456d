package admin_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/internal/manage/seenusers"
	"keywright.dev/keywright/test/fakeobjects"
)

const (
	list   = "/api/admin/users"
	manual = "comes from a manifest: change it where that is kept"
)

func of(name string) string { return list + "/" + url.PathEscape(name) }

// Each row is one request to an environment of its own, and its reply.
func TestErrors_HaveDocumentedTexts(t *testing.T) {
	for name, c := range map[string]struct {
		method, path, key, body string
		status                  int
		detail                  string
	}{
		"create: anonymous":            {"POST", list, "", `{"username":"new"}`, 403, "Admin access required"},
		"create: a key without rights": {"POST", list, plainKey, `{"username":"new"}`, 403, "Admin access required"},
		"create: an APIKey":            {"POST", list, writerKey, `{"username":"new"}`, 403, "Admin access required"},
		"create: anonymous, broken":    {"POST", list, "", `{`, 403, "Admin access required"},
		"create: not JSON":             {"POST", list, aliceKey, `{`, 400, "Invalid JSON body"},
		"create: nothing":              {"POST", list, aliceKey, ``, 400, "Invalid JSON body"},
		"create: not an object":        {"POST", list, aliceKey, `[]`, 400, "JSON body must be an object"},
		"create: null":                 {"POST", list, aliceKey, `null`, 400, "JSON body must be an object"},
		"create: no name":              {"POST", list, aliceKey, `{}`, 400, "Username is required"},
		"create: null name":            {"POST", list, aliceKey, `{"username":null}`, 400, "Username is required"},
		"create: blank name":           {"POST", list, aliceKey, `{"username":"  "}`, 400, "Username is required"},
		"create: a number":             {"POST", list, aliceKey, `{"username":1}`, 400, "username: must not be a number"},
		"create: reserved":             {"POST", list, aliceKey, `{"username":"ADMIN"}`, 400, "Username 'admin' is reserved"},
		"create: short":                {"POST", list, aliceKey, `{"username":"x"}`, 400, "Invalid username: 'x'. Must be 2-50 alphanumeric characters, dots, hyphens, underscores."},
		"create: accents":              {"POST", list, aliceKey, `{"username":"müller"}`, 400, "Invalid username: 'müller'. Must be 2-50 alphanumeric characters, dots, hyphens, underscores."},
		"create: a dash first":         {"POST", list, aliceKey, `{"username":"-x"}`, 400, "Invalid username: '-x'. Must be 2-50 alphanumeric characters, dots, hyphens, underscores."},
		"create: two lines":            {"POST", list, aliceKey, `{"username":"ab\nc"}`, 400, "Invalid username: 'ab\nc'. Must be 2-50 alphanumeric characters, dots, hyphens, underscores."},
		"create: an existing admin":    {"POST", list, aliceKey, `{"username":"BOB"}`, 409, "User 'bob' already exists"},
		"create: an existing plain":    {"POST", list, aliceKey, `{"username":"Plain"}`, 409, "User 'plain' already exists: change its role instead"},
		"create: a seen user":          {"POST", list, aliceKey, `{"username":"sam"}`, 409, "User 'sam' already exists: change its role instead"},
		"create: unknown field":        {"POST", list, aliceKey, `{"username":"new","role":"admin"}`, 400, "role: is not known"},
		"delete: anonymous":            {"DELETE", of("bob"), "", "", 403, "Admin access required"},
		"delete: oneself":              {"DELETE", of("alice"), aliceKey, "", 400, "Cannot delete your own account"},
		"delete: oneself by an APIKey": {"DELETE", of("alice"), writerKey, "", 400, "Cannot delete your own account"},
		"delete: bootstrap":            {"DELETE", of("admin"), bootstrapKey, "", 400, "Cannot delete your own account"},
		"delete: bootstrap by another": {"DELETE", of("admin"), aliceKey, "", 404, "Admin user 'admin' not found"},
		"delete: a missing user":       {"DELETE", of("missing"), aliceKey, "", 404, "Admin user 'missing' not found"},
		"delete: plain":                {"DELETE", of("plain"), aliceKey, "", 404, "Admin user 'plain' not found"},
		"delete: seen":                 {"DELETE", of("sam"), aliceKey, "", 404, "Admin user 'sam' not found"},
		"delete: a manifest's": {
			"DELETE", of("git"), aliceKey, "", 409, "User 'git' " + manual + " (keywright-system/git)",
		},
		"delete: oneself, a manifest's": {
			"DELETE", of("git"), gitKey, "", 409, "User 'git' " + manual + " (keywright-system/git)",
		},
		"forget: a manifest's plain": {
			"DELETE", of("gitplain") + "?forget=true", aliceKey, "", 409,
			"User 'gitplain' " + manual + " (keywright-system/gitplain)",
		},
		"forget: a missing user": {
			"DELETE", of("missing") + "?forget=true", aliceKey, "", 404, "User 'missing' not found",
		},
		"forget: perhaps": {
			"DELETE", of("sam") + "?forget=perhaps", aliceKey, "", 400, "forget must be true or false",
		},
		"role: anonymous":             {"PUT", of("bob") + "/role", "", `{"role":"user"}`, 403, "Admin access required"},
		"role: one's own, first":      {"PUT", of("alice") + "/role", aliceKey, `{`, 400, "Cannot change your own role"},
		"role: bootstrap, one's own":  {"PUT", of("admin") + "/role", bootstrapKey, `{"role":"user"}`, 400, "Cannot change your own role"},
		"role: a manifest's, first":   {"PUT", of("git") + "/role", gitKey, `{`, 409, "User 'git' " + manual + " (keywright-system/git)"},
		"role: not JSON":              {"PUT", of("missing") + "/role", aliceKey, `{`, 400, "Invalid JSON body"},
		"role: not an object":         {"PUT", of("missing") + "/role", aliceKey, `"admin"`, 400, "JSON body must be an object"},
		"role: none":                  {"PUT", of("missing") + "/role", aliceKey, `{"role":""}`, 400, "Role is required"},
		"role: another":               {"PUT", of("missing") + "/role", aliceKey, `{"role":"Admin"}`, 400, "Invalid role: 'Admin'. Must be 'admin' or 'user'."},
		"role: another, of admin":     {"PUT", of("admin") + "/role", aliceKey, `{"role":"root"}`, 400, "Invalid role: 'root'. Must be 'admin' or 'user'."},
		"role: admin's":               {"PUT", of("Admin") + "/role", aliceKey, `{"role":"user"}`, 400, "Cannot change role of reserved 'admin' user"},
		"role: a missing user":        {"PUT", of("missing") + "/role", aliceKey, `{"role":"admin"}`, 404, "User 'missing' not found"},
		"role: another case":          {"PUT", of("BOB") + "/role", aliceKey, `{"role":"user"}`, 404, "User 'BOB' not found"},
		"role: the same":              {"PUT", of("bob") + "/role", aliceKey, `{"role":"admin"}`, 400, "User 'bob' already has role 'admin'"},
		"role: the same, plain":       {"PUT", of("plain") + "/role", aliceKey, `{"role":"user"}`, 400, "User 'plain' already has role 'user'"},
		"role: the same, seen":        {"PUT", of("sam") + "/role", aliceKey, `{"role":"user"}`, 400, "User 'sam' already has role 'user'"},
		"role: seen by a bad name":    {"PUT", of("a b") + "/role", aliceKey, `{"role":"admin"}`, 400, "Invalid username: 'a b'. Must be 2-50 alphanumeric characters, dots, hyphens, underscores."},
		"role: promoted by an APIKey": {"PUT", of("plain") + "/role", writerKey, `{"role":"admin"}`, 403, "Admin access required"},
		"rotate: anonymous":           {"POST", of("bob") + "/rotate-key", "", ``, 403, "Admin access required"},
		"rotate: an APIKey":           {"POST", of("bob") + "/rotate-key", writerKey, ``, 403, "Admin access required"},
		"rotate: not JSON":            {"POST", of("missing") + "/rotate-key", aliceKey, `{`, 400, "Invalid JSON body"},
		"rotate: not an object":       {"POST", of("missing") + "/rotate-key", aliceKey, `[]`, 400, "JSON body must be an object"},
		"rotate: short":               {"POST", of("missing") + "/rotate-key", aliceKey, `{"new_key":"short"}`, 400, "API key must be at least 16 characters long"},
		"rotate: long":                {"POST", of("bob") + "/rotate-key", aliceKey, `{"new_key":"` + strings.Repeat("x", 257) + `"}`, 400, "API key must be at most 256 characters long"},
		"rotate: accents":             {"POST", of("bob") + "/rotate-key", aliceKey, `{"new_key":"schlüsselschlüssel"}`, 400, "API key must be visible ASCII characters only: no spaces, line ends or letters with accents"},
		"rotate: mistyped":            {"POST", of("bob") + "/rotate-key", aliceKey, `{"new_key":"ak_0123456789abcdefghij"}`, 400, "API key begins like a generated key but is not one: a character is missing or mistyped"},
		"rotate: a number":            {"POST", of("bob") + "/rotate-key", aliceKey, `{"new_key":1234567890123456}`, 400, "new_key: must not be a number"},
		"rotate: a missing user":      {"POST", of("missing") + "/rotate-key", aliceKey, `{"new_key":"a-key-that-is-long-enough"}`, 404, "Admin user 'missing' not found"},
		"rotate: plain":               {"POST", of("plain") + "/rotate-key", aliceKey, ``, 404, "Admin user 'plain' not found"},
		"rotate: bootstrap":           {"POST", of("admin") + "/rotate-key", bootstrapKey, ``, 404, "Admin user 'admin' not found"},
		"rotate: taken":               {"POST", of("bob") + "/rotate-key", aliceKey, `{"new_key":"` + aliceKey + `"}`, 409, "API key is already in use"},
		"rotate: the same":            {"POST", of("bob") + "/rotate-key", aliceKey, `{"new_key":"` + bobKey + `"}`, 409, "API key is already in use"},
		"rotate: the bootstrap key":   {"POST", of("bob") + "/rotate-key", aliceKey, `{"new_key":"` + bootstrapKey + `"}`, 409, "API key is already in use"},
		"rotate: an APIKey's":         {"POST", of("bob") + "/rotate-key", aliceKey, `{"new_key":"` + plainKey + `"}`, 409, "API key is already in use"},
		"rotate: into a Secret":       {"POST", of("git") + "/rotate-key", aliceKey, `{"new_key":"a-key-that-is-long-enough"}`, 409, "The key of 'git' is delivered in Secret keywright-system/git-admin-key and can't be set here: leave new_key out to rotate it"},
		"list: anonymous":             {"GET", list, "", "", 403, "Admin access required"},
		"list: a key of no use":       {"GET", list, plainKey, "", 403, "Admin access required"},
		"no route: anonymous":         {"GET", "/api/admin/nothing", "", "", 403, "Admin access required"},
		"no route: an admin":          {"GET", "/api/admin/nothing", aliceKey, "", 404, "Not found"},
		"no route: the root of it":    {"TRACE", "/api/admin/", "", "", 403, "Admin access required"},
		"no route: without the slash": {"GET", "/api/admin", "", "", 403, "Admin access required"},
		"no method: anonymous":        {"PATCH", list, "", "", 403, "Admin access required"},
		"no method: an admin":         {"PATCH", list, aliceKey, "", 405, "Method not allowed"},
		"no name":                     {"DELETE", list + "/", aliceKey, "", 404, "Not found"},
		"elsewhere":                   {"GET", "/api/nothing", "", "", 404, "Not found"},
		"elsewhere, empty":            {"GET", "/api/", aliceKey, "", 404, "Not found"},
		"elsewhere, in disguise":      {"GET", "/api//admin/users", "", "", 404, "Not found"},
		"audit: anonymous":            {"GET", "/api/admin/audit", "", "", 403, "Admin access required"},
		"audit: an APIKey":            {"GET", "/api/admin/audit", writerKey, "", 403, "Admin access required"},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			r := env.ask(c.method, c.path, c.key, c.body)
			if r.Code != c.status || detail(r) != c.detail {
				t.Errorf("got %d %s, want %d %q", r.Code, r.Body, c.status, c.detail)
			}
			if len(env.registry.Writes())+len(env.events()) > 0 {
				t.Errorf("writes %q, events %q", env.registry.Writes(), env.events())
			}
			if r.Header().Get("Cache-Control") != "no-store" || r.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%v", r.Header())
			}
		})
	}
}

func TestUsers_Create(t *testing.T) {
	env := newEnv(t)
	r := env.ask("POST", list, aliceKey, `{"username":" New.One "}`)
	key := field(t, r, "api_key")
	if want := `{"username":"New.One","api_key":"` + key + `","role":"admin"}` + "\n"; r.Code != 200 || r.Body.String() != want {
		t.Fatalf("%d %s", r.Code, r.Body)
	}
	if me := env.ask("GET", "/api/auth/me", key, ""); me.Body.String() != `{"username":"New.One","role":"admin","is_admin":true}`+"\n" {
		t.Error(me.Body)
	}
	checkTrail(t, env, "user.create User/New.One done")
	if !slices.Equal(env.events(), []string{"New.One Created"}) {
		t.Error(env.events())
	}
	e := env.memory.entries[0]
	if e.Actor != "User/alice" || e.KeyID != env.registry.Ring.Digest(aliceKey).KeyID() || e.From != "192.0.2.1" {
		t.Errorf("%+v", e)
	}
}

// checkTrail compares action, target and outcome of the audit entries.
func checkTrail(t *testing.T, env *env, want ...string) {
	t.Helper()
	var got []string
	for _, e := range env.memory.entries {
		got = append(got, e.Action+" "+e.Target+" "+e.Outcome)
	}
	if !slices.Equal(got, want) {
		t.Errorf("audit trail %q, want %q", got, want)
	}
}

func TestUsers_Delete(t *testing.T) {
	env := newEnv(t)
	r := env.ask("DELETE", of("bob"), aliceKey, "")
	if r.Code != 200 || r.Body.String() != `{"deleted":"bob"}`+"\n" || env.registry.AdminUser("bob") != nil {
		t.Fatalf("%d %s", r.Code, r.Body)
	}
	if again := env.ask("DELETE", of("bob"), aliceKey, ""); again.Code != 404 {
		t.Error(again.Code, again.Body)
	}
	if me := env.ask("GET", "/api/auth/me", bobKey, ""); field(t, me, "username") != "" {
		t.Error("the key of a deleted admin still identifies them")
	}
	checkTrail(t, env, "user.delete User/bob done", "user.delete User/bob refused")
}

func TestUsers_Forget(t *testing.T) {
	for _, name := range []string{"plain", "sam", "a b"} {
		env := newEnv(t)
		r := env.ask("DELETE", of(name)+"?forget=true", writerKey, "")
		if r.Code != 200 || field(t, r, "deleted") != name || strings.Contains(env.ask("GET", list, aliceKey, "").Body.String(), `"`+name+`"`) {
			t.Errorf("%s: %d %s", name, r.Code, r.Body)
		}
		checkTrail(t, env, "user.forget User/"+name+" done")
	}
}

func TestUsers_PromoteAndDemote(t *testing.T) {
	for _, name := range []string{"plain", "sam"} {
		env := newEnv(t)
		r := env.ask("PUT", of(name)+"/role", bootstrapKey, `{"role":"admin"}`)
		key := field(t, r, "api_key")
		if r.Code != 200 || r.Body.String() != `{"username":"`+name+`","role":"admin","api_key":"`+key+`"}`+"\n" {
			t.Fatalf("%d %s", r.Code, r.Body)
		}
		if me := env.ask("GET", "/api/auth/me", key, ""); field(t, me, "role") != "admin" {
			t.Error(me.Body)
		}
		r = env.ask("PUT", of(name)+"/role", aliceKey, `{"role":"user"}`)
		if r.Code != 200 || r.Body.String() != `{"username":"`+name+`","role":"user"}`+"\n" {
			t.Fatalf("%d %s", r.Code, r.Body)
		}
		if me := env.ask("GET", "/api/auth/me", key, ""); field(t, me, "username") != "" {
			t.Error(me.Body)
		}
		checkTrail(t, env, "user.promote User/"+name+" done", "user.demote User/"+name+" done")
		if !slices.Equal(env.events(), []string{name + " Promoted", name + " Demoted"}) {
			t.Error(env.events())
		}
	}
}

// No earlier key becomes valid again.
func TestPromotion_DropsOldKeys(t *testing.T) {
	env := newEnv(t)
	u := env.registry.AdminUser("bob")
	u.Name, u.Spec.Username, u.Spec.Role = "old", "old", v1alpha1.RoleUser
	env.registry.PutUser(*u, "the-key-of-a-former-admin")
	r := env.ask("PUT", of("old")+"/role", aliceKey, `{"role":"admin"}`)
	if r.Code != 200 {
		t.Fatal(r.Code, r.Body)
	}
	if want := []string{"drop old", "change old", "record old"}; !slices.Equal(env.registry.Writes(), want) {
		t.Errorf("%q, want %q", env.registry.Writes(), want)
	}
	if me := env.ask("GET", "/api/auth/me", "the-key-of-a-former-admin", ""); field(t, me, "username") != "" {
		t.Error(me.Body)
	}
}

// kubectl may promote the user while the operator is away: no old key must become valid.
func TestDemotion_DropsKeys(t *testing.T) {
	env := newEnv(t)
	if r := env.ask("PUT", of("bob")+"/role", aliceKey, `{"role":"user"}`); r.Code != 200 {
		t.Fatal(r.Code, r.Body)
	}
	if want := []string{"change bob", "drop bob"}; !slices.Equal(env.registry.Writes(), want) {
		t.Errorf("%q, want %q", env.registry.Writes(), want)
	}
	promoted := env.registry.AdminUser("bob")
	promoted.Spec.Role = v1alpha1.RoleAdmin
	env.registry.PutUser(*promoted, "")
	if me := env.ask("GET", "/api/auth/me", bobKey, ""); field(t, me, "username") != "" {
		t.Error(me.Body)
	}
}

// Only the operator drops keys that are delivered in a Secret: admission would refuse the server.
func TestDemotion_LeavesKeysOfSecretToOperator(t *testing.T) {
	env := newEnv(t)
	u := env.registry.AdminUser("bob")
	u.Name, u.Spec.Username, u.Spec.Delivery = "kept", "kept", v1alpha1.DeliverySecret
	env.registry.PutUser(*u, "a-key-that-is-in-a-secret")
	if r := env.ask("PUT", of("kept")+"/role", aliceKey, `{"role":"user"}`); r.Code != 200 {
		t.Fatal(r.Code, r.Body)
	}
	if want := []string{"change kept"}; !slices.Equal(env.registry.Writes(), want) {
		t.Errorf("%q, want %q", env.registry.Writes(), want)
	}
}

func TestDemotion_ReportsKeyThatIsStillRecorded(t *testing.T) {
	env := newEnv(t)
	env.registry.Fail = fakeobjects.FailCall("DropKeys", objects.ErrUnavailable)
	env.ask("POST", loginPath, "", claim("bob", bobKey))
	r := env.ask("PUT", of("bob")+"/role", aliceKey, `{"role":"user"}`)
	if r.Code != 503 ||
		detail(r) != "User 'bob' is demoted, but the old key is still recorded: promote and demote the user again" {
		t.Error(r.Code, r.Body)
	}
	if env.registry.AdminUser("bob").IsAdmin() || len(env.memory.sessions) > 0 ||
		!slices.Equal(env.events(), []string{"bob Demoted"}) {
		t.Errorf("%v %v", env.memory.sessions, env.events())
	}
}

// keepsSecrets also searches the log for keys.
func TestAudit_HidesKeySentAsUsername(t *testing.T) {
	for _, key := range []string{aliceKey, offKey, bootstrapKey, readerKey, longKey} {
		for _, c := range []struct{ method, path, body, want string }{
			{"POST", list, `{"username":" ` + key + `"}`, "user.create User/(a key) refused"},
			{"DELETE", of(key), "", "user.delete User/(a key) refused"},
			{"DELETE", of(" " + key), "", "user.delete User/(a key) refused"},
			{"DELETE", of(key) + "?forget=true", "", "user.forget User/(a key) refused"},
			{"PUT", of(key) + "/role", `{"role":"admin"}`, "user.promote User/(a key) refused"},
			{"PUT", of("bob") + "/role", `{"role":"` + key + `"}`, "user.demote User/bob refused"},
			{"POST", of(key) + "/rotate-key", "", "user.rotate User/(a key) refused"},
		} {
			env := newEnv(t)
			env.ask(c.method, c.path, aliceKey, c.body)
			checkTrail(t, env, c.want)
			if e := env.memory.entries[0]; strings.Contains(e.Target+e.Detail, key[:20]) || e.Detail == "" {
				t.Errorf("%s %s: %q", c.method, c.path, e.Detail)
			}
		}
	}
}

func TestAudit_HidesKeySentAsFieldName(t *testing.T) {
	env := newEnv(t)
	env.ask("POST", list, aliceKey, `{"`+offKey+`":1}`)
	if e := env.memory.entries; len(e) != 1 || e[0].Detail != "(a key): is not known" {
		t.Errorf("%+v", e)
	}
}

// Usernames are shown everywhere, so a key must not be one.
func TestUsers_RefuseKeyAsUsername(t *testing.T) {
	generated, err := newEnv(t).registry.Generate()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{generated.Plaintext, aliceKey, offKey} {
		env := newEnv(t)
		env.memory.seen = append(env.memory.seen, seenusers.User{ID: 3, Username: name})
		for _, r := range []*httptest.ResponseRecorder{
			env.ask("POST", list, aliceKey, `{"username":"`+name+`"}`),
			env.ask("PUT", of(name)+"/role", aliceKey, `{"role":"admin"}`),
		} {
			if r.Code != 400 || !strings.HasPrefix(detail(r), "Invalid username: it is a key") ||
				strings.Contains(r.Body.String(), name) {
				t.Error(r.Code, r.Body)
			}
		}
		if len(env.registry.Writes()) > 0 || strings.Contains(fmt.Sprintf("%+v", env.memory.entries), name) {
			t.Errorf("%q %+v", env.registry.Writes(), env.memory.entries)
		}
	}
}

// The reply repeats the message of a policy or quota that refuses the write.
func TestUsers_ReportRefusalOfAPIServer(t *testing.T) {
	for _, c := range []struct{ method, path, body, action string }{
		{"POST", list, `{"username":"new"}`, "user.create User/new"},
		{"PUT", of("plain") + "/role", `{"role":"admin"}`, "user.promote User/plain"},
		{"PUT", of("bob") + "/role", `{"role":"user"}`, "user.demote User/bob"},
		{"POST", of("bob") + "/rotate-key", "", "user.rotate User/bob"},
		{"DELETE", of("bob"), "", "user.delete User/bob"},
	} {
		env := newEnv(t)
		env.registry.Fail = fakeobjects.FailWrites(
			fmt.Errorf("record the key: %w", &objects.Refused{Message: "exceeded quota"}),
		)
		r := env.ask(c.method, c.path, aliceKey, c.body)
		if r.Code != 409 || detail(r) != "The API server refuses it: exceeded quota" {
			t.Errorf("%s %s: %d %s", c.method, c.path, r.Code, r.Body)
		}
		checkTrail(t, env, c.action+" refused")
	}
}

func TestPromotion_IsUndoneWithoutKey(t *testing.T) {
	env := newEnv(t)
	env.registry.Fail = fakeobjects.FailCall("Record", objects.ErrUnavailable)
	if r := env.ask("PUT", of("plain")+"/role", aliceKey, `{"role":"admin"}`); r.Code != 503 {
		t.Fatal(r.Code, r.Body)
	}
	if env.registry.AdminUser("plain").IsAdmin() {
		t.Error("an admin without a key is left")
	}
	checkTrail(t, env, "user.promote User/plain failed")
}

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

func TestUsers_List(t *testing.T) {
	env := newEnv(t)
	used := begin.Add(5 * time.Minute)
	env.memory.uses = map[string]lastuse.Use{
		string(env.registry.AdminUser("bob").UID): {At: used.Add(300 * time.Millisecond)},
	}
	u := env.registry.AdminUser("bob")
	u.Name, u.Spec.Username = "late", "late"
	u.CreationTimestamp.Time = begin.Add(time.Hour)
	env.registry.PutUser(*u, "")
	r := env.ask("GET", list, readerKey, "")
	var got struct{ Users []map[string]any }
	if err := json.Unmarshal(r.Body.Bytes(), &got); err != nil || r.Code != 200 {
		t.Fatal(r.Code, r.Body)
	}
	var names []string
	byName := map[string]map[string]any{}
	for _, u := range got.Users {
		name := u["username"].(string)
		names, byName[name] = append(names, name), u
	}
	if want := []string{
		"late", "alice", "bob", "git", "gitplain", "off", "plain", "sam", "a b",
	}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	for name, want := range map[string]string{
		"bob":      `{"created_at":"2030-01-01T12:00:00Z","enabled":true,"id":"uid-2","key_prefix":"the-","last_seen":"2030-01-01T12:05:00Z","last_used_at":"2030-01-01T12:05:00Z","role":"admin","source":"api","username":"bob"}`,
		"sam":      `{"created_at":"2030-01-01T11:00:00Z","enabled":true,"id":"seen-1","key_prefix":null,"last_seen":"2030-01-01T11:59:00Z","last_used_at":null,"role":"user","source":"seen","username":"sam"}`,
		"off":      `{"created_at":"2030-01-01T12:00:00Z","enabled":false,"id":"uid-4","key_prefix":"the-","last_seen":null,"last_used_at":null,"role":"admin","source":"api","username":"off"}`,
		"gitplain": `{"created_at":"2030-01-01T12:00:00Z","enabled":true,"id":"uid-6","key_prefix":null,"last_seen":null,"last_used_at":null,"role":"user","source":"manifest","username":"gitplain"}`,
	} {
		if text, _ := json.Marshal(byName[name]); string(text) != want {
			t.Errorf("got  %s\nwant %s", text, want)
		}
	}
}

// The reply says what is unavailable.
func TestUsers_ReplyUnavailable(t *testing.T) {
	requests := []struct{ method, path, body string }{
		{"GET", list, ""}, {"POST", list, `{"username":"new"}`}, {"DELETE", of("bob"), ""},
		{"PUT", of("bob") + "/role", `{"role":"user"}`}, {"POST", of("bob") + "/rotate-key", ""},
	}
	for _, c := range requests {
		env := newEnv(t)
		env.registry.Fail = fakeobjects.FailRequests(objects.ErrUnavailable)
		if r := env.ask(c.method, c.path, aliceKey, c.body); r.Code != 503 || detail(r) != "The API server is unavailable" {
			t.Errorf("%s %s: %d %s", c.method, c.path, r.Code, r.Body)
		}
	}
	for _, c := range append(
		requests, struct{ method, path, body string }{"POST", "/api/auth/login", "{}"},
		struct{ method, path, body string }{"GET", "/api/nothing", ""},
	) {
		env := newEnv(t)
		env.memory.down = errDown
		if r := env.ask(c.method, c.path, "", c.body); r.Code != 503 || detail(r) != "The database is unavailable: down" {
			t.Errorf("%s %s: %d %s", c.method, c.path, r.Code, r.Body)
		}
	}
	env := newEnv(t)
	env.view.err = errors.New("not yet")
	if r := env.ask("GET", list, aliceKey, ""); r.Code != 503 {
		t.Error(r.Code, r.Body)
	}
}

// The cause of a failure is logged and not in the reply.
func TestUsers_HideCauseOfFailure(t *testing.T) {
	env := newEnv(t)
	env.registry.Fail = fakeobjects.FailCall("Record", errors.New("etcd at 10.0.0.1 says: no"))
	r := env.ask("POST", of("bob")+"/rotate-key", aliceKey, "")
	if r.Code != 503 || strings.Contains(r.Body.String(), "10.0.0.1") || len(env.log.Lines("10.0.0.1")) == 0 {
		t.Errorf("%d %s\n%s", r.Code, r.Body, env.log)
	}
	checkTrail(t, env, "user.rotate User/bob failed")
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
