package admin_test

import (
	"strings"
	"testing"
)

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
			"DELETE", of("git"), gitKey, "", 400, "Cannot delete your own account",
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
		"role: anonymous":               {"PUT", of("bob") + "/role", "", `{"role":"user"}`, 403, "Admin access required"},
		"role: one's own, first":        {"PUT", of("alice") + "/role", aliceKey, `{`, 400, "Cannot change your own role"},
		"role: bootstrap, one's own":    {"PUT", of("admin") + "/role", bootstrapKey, `{"role":"user"}`, 400, "Cannot change your own role"},
		"role: a manifest's":            {"PUT", of("git") + "/role", aliceKey, `{"role":"user"}`, 409, "User 'git' " + manual + " (keywright-system/git)"},
		"role: one's own, a manifest's": {"PUT", of("git") + "/role", gitKey, `{`, 400, "Cannot change your own role"},
		"role: not JSON":                {"PUT", of("missing") + "/role", aliceKey, `{`, 400, "Invalid JSON body"},
		"role: not an object":           {"PUT", of("missing") + "/role", aliceKey, `"admin"`, 400, "JSON body must be an object"},
		"role: none":                    {"PUT", of("missing") + "/role", aliceKey, `{"role":""}`, 400, "Role is required"},
		"role: another":                 {"PUT", of("missing") + "/role", aliceKey, `{"role":"Admin"}`, 400, "Invalid role: 'Admin'. Must be 'admin' or 'user'."},
		"role: another, of admin":       {"PUT", of("admin") + "/role", aliceKey, `{"role":"root"}`, 400, "Invalid role: 'root'. Must be 'admin' or 'user'."},
		"role: admin's":                 {"PUT", of("Admin") + "/role", aliceKey, `{"role":"user"}`, 400, "Cannot change role of reserved 'admin' user"},
		"role: a missing user":          {"PUT", of("missing") + "/role", aliceKey, `{"role":"admin"}`, 404, "User 'missing' not found"},
		"role: another case":            {"PUT", of("BOB") + "/role", aliceKey, `{"role":"user"}`, 404, "User 'BOB' not found"},
		"role: the same":                {"PUT", of("bob") + "/role", aliceKey, `{"role":"admin"}`, 400, "User 'bob' already has role 'admin'"},
		"role: the same, plain":         {"PUT", of("plain") + "/role", aliceKey, `{"role":"user"}`, 400, "User 'plain' already has role 'user'"},
		"role: the same, seen":          {"PUT", of("sam") + "/role", aliceKey, `{"role":"user"}`, 400, "User 'sam' already has role 'user'"},
		"role: seen by a bad name":      {"PUT", of("a b") + "/role", aliceKey, `{"role":"admin"}`, 400, "Invalid username: 'a b'. Must be 2-50 alphanumeric characters, dots, hyphens, underscores."},
		"role: promoted by an APIKey":   {"PUT", of("plain") + "/role", writerKey, `{"role":"admin"}`, 403, "Admin access required"},
		"rotate: anonymous":             {"POST", of("bob") + "/rotate-key", "", ``, 403, "Admin access required"},
		"rotate: an APIKey":             {"POST", of("bob") + "/rotate-key", writerKey, ``, 403, "Admin access required"},
		"rotate: not JSON":              {"POST", of("missing") + "/rotate-key", aliceKey, `{`, 400, "Invalid JSON body"},
		"rotate: not an object":         {"POST", of("missing") + "/rotate-key", aliceKey, `[]`, 400, "JSON body must be an object"},
		"rotate: short":                 {"POST", of("missing") + "/rotate-key", aliceKey, `{"new_key":"short"}`, 400, "API key must be at least 16 characters long"},
		"rotate: long":                  {"POST", of("bob") + "/rotate-key", aliceKey, `{"new_key":"` + strings.Repeat("x", 257) + `"}`, 400, "API key must be at most 256 characters long"},
		"rotate: accents":               {"POST", of("bob") + "/rotate-key", aliceKey, `{"new_key":"schlüsselschlüssel"}`, 400, "API key must be visible ASCII characters only: no spaces, line ends or letters with accents"},
		"rotate: mistyped":              {"POST", of("bob") + "/rotate-key", aliceKey, `{"new_key":"ak_0123456789abcdefghij"}`, 400, "API key begins like a generated key but is not one: a character is missing or mistyped"},
		"rotate: a number":              {"POST", of("bob") + "/rotate-key", aliceKey, `{"new_key":1234567890123456}`, 400, "new_key: must not be a number"},
		"rotate: no key id":             {"POST", of("bob") + "/rotate-key", aliceKey, `{"key_id":"x"}`, 400, "key_id must be the key id of the current key: 16 hexadecimal characters"},
		"rotate: a key as the id":       {"POST", of("bob") + "/rotate-key", aliceKey, `{"key_id":"` + bobKey + `"}`, 400, "key_id must be the key id of the current key: 16 hexadecimal characters"},
		"rotate: a missing user":        {"POST", of("missing") + "/rotate-key", aliceKey, `{"new_key":"a-key-that-is-long-enough"}`, 404, "Admin user 'missing' not found"},
		"rotate: plain":                 {"POST", of("plain") + "/rotate-key", aliceKey, ``, 404, "Admin user 'plain' not found"},
		"rotate: bootstrap":             {"POST", of("admin") + "/rotate-key", bootstrapKey, ``, 404, "Admin user 'admin' not found"},
		"rotate: taken":                 {"POST", of("bob") + "/rotate-key", aliceKey, `{"new_key":"` + aliceKey + `"}`, 409, "API key is already in use"},
		"rotate: the same":              {"POST", of("bob") + "/rotate-key", aliceKey, `{"new_key":"` + bobKey + `"}`, 409, "API key is already in use"},
		"rotate: the bootstrap key":     {"POST", of("bob") + "/rotate-key", aliceKey, `{"new_key":"` + bootstrapKey + `"}`, 409, "API key is already in use"},
		"rotate: an APIKey's":           {"POST", of("bob") + "/rotate-key", aliceKey, `{"new_key":"` + plainKey + `"}`, 409, "API key is already in use"},
		"rotate: into a Secret":         {"POST", of("git") + "/rotate-key", aliceKey, `{"new_key":"a-key-that-is-long-enough"}`, 409, "The key of 'git' is delivered in Secret keywright-system/git-admin-key and can't be set here: leave new_key out to rotate it"},
		"list: anonymous":               {"GET", list, "", "", 403, "Admin access required"},
		"list: a key of no use":         {"GET", list, plainKey, "", 403, "Admin access required"},
		"no route: anonymous":           {"GET", "/api/admin/nothing", "", "", 403, "Admin access required"},
		"no route: an admin":            {"GET", "/api/admin/nothing", aliceKey, "", 404, "Not found"},
		"no route: the root of it":      {"TRACE", "/api/admin/", "", "", 403, "Admin access required"},
		"no route: without the slash":   {"GET", "/api/admin", "", "", 403, "Admin access required"},
		"no method: anonymous":          {"PATCH", list, "", "", 403, "Admin access required"},
		"no method: an admin":           {"PATCH", list, aliceKey, "", 405, "Method not allowed"},
		"no name":                       {"DELETE", list + "/", aliceKey, "", 404, "Not found"},
		"elsewhere":                     {"GET", "/api/nothing", "", "", 404, "Not found"},
		"elsewhere, empty":              {"GET", "/api/", aliceKey, "", 404, "Not found"},
		"elsewhere, in disguise":        {"GET", "/api//admin/users", "", "", 404, "Not found"},
		"audit: anonymous":              {"GET", "/api/admin/audit", "", "", 403, "Admin access required"},
		"audit: an APIKey":              {"GET", "/api/admin/audit", writerKey, "", 403, "Admin access required"},
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
