package keys_test

import (
	"net/http"
	"testing"

	"keywright.dev/keywright/test/fakeobjects"
	"keywright.dev/keywright/test/oddpaths"
)

// oddPaths are paths that a router may read in more than one way.
var oddPaths = []string{
	"/apiv1", "/apiv1/", "/apiv1/x", "/apiv1//", "/apiv1/users", "/apiv1/users/", "/apiv1/users/bob",
	"/apiv1/users/bob/apikeys",
	"/apiv1/users/bob/apikeys/", "/apiv1/users/me/apikeys", "/apiv1/users/%6De/apikeys", "/apiv1/users/bob/api%6Beys",
	"/%61piv1/users/bob/apikeys", "/apiv1/users//apikeys", "/apiv1/users/./apikeys", "/apiv1/users/../apikeys",
	"/apiv1/users/%2e%2e/apikeys",
	"/apiv1/users/%2F/apikeys", "/apiv1/users/a%2Fb/apikeys", "/apiv1/users/bob%2Fapikeys", "/apiv1/users/bob/apikeys/%2F",
	"/apiv1/users/bob/apikeys/a%2Fb", "/apiv1/users/bob/apikeys/..", "/apiv1/users/bob/apikeys/x/rotate",
	"/apiv1/users/bob/apikeys/x/rotate/",
	"/apiv1/users/bob/apikeys/%2f/rotate", "/apiv1/users/bob/apikeys//rotate", "/apiv1/users/bob/apikeys/%00",
	"/apiv1/users/%00%2F/apikeys",
	"/apiv1/users/%252F/apikeys", "/apiv1/accounts/ci/apikeys", "/apiv1/accounts/me/apikeys",
	"/apiv1/accounts/%2F/apikeys/x",
	"/apiv1/integrations/lab/apikeys", "/apiv1/integrations/lab/apikeys/x", "/apiv1/permissions/catalog",
	"/apiv1/permissions/catalog/",
	"/apiv1/permissions", "/apiv1/permissions%2Fcatalog", "/apiv1/Users/bob/apikeys", "/apiv1/users/{user}/apikeys",
	"/apiv1/users/bob/apikeys?name=/../",
	"/apiv1/apikeys", "/apiv1/apikeys/", "/apiv1/apikeys/x", "/apiv1/apikeys/x/rotate",
	"/apiv1/apikeys/%2F", "/apiv1/apikeys/%2F/rotate", "/apiv1/apikeys/..", "/apiv1/apikeys?subject=User/bob",
	"/apiv1/apikeys?subject=User%2Fbob&subject=x", "/apiv1/apikeys?subject=bob",
}

func TestOddPaths_RepliesAreAsRecorded(t *testing.T) {
	suite := oddpaths.Suite{
		Golden: "testdata/odd_paths.golden", Prefix: "/apiv1/", Paths: oddPaths, Keys: []string{
			"", bobReads, bobKey, fakeobjects.AliceKey,
		},
		New: func() http.Handler { return newEnv(t) },
	}
	suite.Check(t)
}
