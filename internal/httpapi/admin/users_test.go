package admin_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage/seenusers"
	"keywright.dev/keywright/test/fakeobjects"
)

const (
	list   = "/api/admin/users"
	manual = "comes from a manifest: change it where that is kept"
)

func of(name string) string { return list + "/" + url.PathEscape(name) }

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
	if r.Code != 200 || r.Body.String() != `{"deleted":"bob","api_keys":0}`+"\n" || env.registry.AdminUser("bob") != nil {
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

func TestUsers_DisableAndEnable(t *testing.T) {
	env := newEnv(t)
	env.ask("POST", loginPath, "", claim("bob", bobKey))
	set := func(enabled string) {
		t.Helper()
		r := env.ask("PATCH", of("bob"), aliceKey, `{"enabled":`+enabled+`}`)
		if r.Code != 200 || r.Body.String() != `{"username":"bob","enabled":`+enabled+`}`+"\n" {
			t.Fatal(r.Code, r.Body)
		}
	}
	is := func(want string) {
		t.Helper()
		if me := env.ask("GET", "/api/auth/me", bobKey, ""); field(t, me, "username") != want {
			t.Fatal(me.Body)
		}
	}
	set("false")
	is("")
	if len(env.memory.sessions) > 0 {
		t.Errorf("%v", env.memory.sessions)
	}
	set("false")
	set("true")
	is("bob")
	set("true")
	if want := []string{"change bob", "change bob"}; !slices.Equal(env.registry.Writes(), want) {
		t.Errorf("%q, want %q", env.registry.Writes(), want)
	}
	if want := []string{"bob Disabled", "bob Enabled"}; !slices.Equal(env.events(), want) {
		t.Errorf("%q, want %q", env.events(), want)
	}
	checkTrail(t, env, "login User/bob done", "user.disable User/bob done", "user.disable User/bob done",
		"user.enable User/bob done", "user.enable User/bob done")
}

func TestUsers_DisablePlainUser(t *testing.T) {
	env := newEnv(t)
	r := env.ask("PATCH", of("plain"), writerKey, `{"enabled":false}`)
	if r.Code != 200 || !env.registry.AdminUser("plain").IsDisabled() {
		t.Error(r.Code, r.Body)
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
			{"PATCH", of(key), `{"enabled":true}`, "user.enable User/(a key) refused"},
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
		{"PATCH", of("bob"), `{"enabled":false}`, "user.disable User/bob"},
		{"PATCH", of("off"), `{"enabled":true}`, "user.enable User/off"},
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

// The reply says what is unavailable.
func TestUsers_ReplyUnavailable(t *testing.T) {
	requests := []struct{ method, path, body string }{
		{"GET", list, ""}, {"POST", list, `{"username":"new"}`}, {"DELETE", of("bob"), ""},
		{"PUT", of("bob") + "/role", `{"role":"user"}`}, {"POST", of("bob") + "/rotate-key", ""},
		{"PATCH", of("bob"), `{"enabled":false}`},
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
