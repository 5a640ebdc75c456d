package admin_test

import (
	"net/http"
	"testing"

	"keywright.dev/keywright/test/oddpaths"
)

// oddPaths are paths that a router may read in more than one way.
var oddPaths = []string{
	"/api", "/api/", "/api/x", "/api//", "/api/admin", "/api/admin/", "/api/admin//", "/api/admin/x", "/api/admins",
	"/api/%61dmin", "/api/%61dmin/users", "/%61pi/admin/users", "/API/admin/users", "/api/Admin/users",
	"/api/admin%2Fusers",
	"/api//admin/users", "/api/./admin/users", "/api/x/../admin/users", "/api/admin/users/", "/api/admin/users//",
	"/api/admin/users/%2F", "/api/admin/users/%2f/role", "/api/admin/users/a%2Fb", "/api/admin/users/a%2Fb/role",
	"/api/admin/users/%2Frole", "/api/admin/users/bob%2Frole", "/api/admin/users/.", "/api/admin/users/..",
	"/api/admin/users/%2e%2e",
	"/api/admin/users/%2E", "/api/admin/users/../audit", "/api/admin/users//role", "/api/admin/users/zed/role/",
	"/api/admin/users/zed/role/x", "/api/admin/users/zed/rol%65", "/api/admin/users/zed/rotate-key",
	"/api/admin/users/%00",
	"/api/admin/users/%00%2F", "/api/admin/users/%25", "/api/admin/users/%252F", "/api/admin/users/;",
	"/api/admin/users?x=/../",
	"/api/admin/audit", "/api/admin/audit/", "/api/admin/audit/x", "/api/auth", "/api/auth/", "/api/auth/me",
	"/api/auth/me/",
	"/api/auth/login", "/api/auth/logout", "/api/auth/%6De", "/api/auth//me", "/api/admin/users/{username}",
	"/api/{username}",
}

func TestOddPaths_RepliesAreAsRecorded(t *testing.T) {
	suite := oddpaths.Suite{
		Golden: "testdata/odd_paths.golden", Prefix: "/api/", Paths: oddPaths, Keys: []string{
			"", plainKey, readerKey, aliceKey,
		},
		New: func() http.Handler { return newEnv(t) },
	}
	suite.Check(t)
}
