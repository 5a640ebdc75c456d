package cli_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// -o key is refused where no key is printed, before anything is sent.
func TestOutputKey_IsRefusedBeforeAnythingIsSent(t *testing.T) {
	for command, problem := range map[string]string{
		"admin users delete bob --force":   "keywright admin users delete prints no key",
		"admin users list":                 "keywright admin users list prints no key",
		"admin users change-role bob user": "a demotion prints no key",
		"auth whoami":                      "keywright auth whoami prints no key",
		"keys get":                         "keywright keys get prints no key",
		"keys remove k1 --force":           "keywright keys remove prints no key",
		"keys set k1 --disable":            "keywright keys set prints no key",
		"api GET /api/auth/me":             "keywright api prints no key",
	} {
		f := newFixture(t, changedKey)
		f.expect(t.Context(), t, 2, "", "Error: -o key: "+problem+"\n", append(strings.Fields(command), "-o", "key")...)
		if got := f.asked(); got != "" {
			t.Errorf("%s: sent %s", command, got)
		}
	}
	const noColumn = "-o csv has no column for the key that %s prints: use json or key"
	for command, problem := range map[string]string{
		"api DELETE /x":          "-o csv is not for keywright api",
		"keys rotate k1":         fmt.Sprintf(noColumn, "keywright keys rotate"),
		"admin users create bob": fmt.Sprintf(noColumn, "keywright admin users create"),
	} {
		f := newFixture(t, changedKey)
		f.expect(t.Context(), t, 2, "", "Error: "+problem+"\n", append(strings.Fields(command), "-o", "csv")...)
		if got := f.asked(); got != "" {
			t.Errorf("%s: sent %s", command, got)
		}
	}
}

// A new key is printed even if the expression for its output finds nothing: it cannot be had again.
func TestIssuedKey_IsNotLost(t *testing.T) {
	f := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			_, _ = fmt.Fprint(w, `{"username":"bob","new_api_key":"the-new-key"}`)
			return
		}
		_, _ = fmt.Fprint(w, `{"data":{"id":"k1","name":"x","token":"the-new-key"}}`)
	})
	for command, lead := range map[string]string{
		"admin users rotate-key bob": "Rotated API key for: bob\nNew API Key: ",
		"keys rotate k1":             "Rotated API key: x (k1)\nNew API Key: ",
		"keys new x":                 "Created API key: x (k1)\nAPI Key: ",
	} {
		f.expect(t.Context(), t, 1, lead+"the-new-key\nSave this API key now - it cannot be retrieved later.\n",
			"Error: "+map[bool]string{true: "k1: "}[command == "keys rotate k1"]+"output jsonpath: tokn is not found\n",
			append(strings.Fields(command), "-o", "jsonpath={.tokn}")...)
	}
}

// The bootstrap key belongs to no user, so the owner of a new key must be named.
func TestNewKey_WithTheBootstrapKey(t *testing.T) {
	f := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/auth/me" {
			_, _ = fmt.Fprint(w, `{"username":"admin","role":"admin","is_admin":true}`)
			return
		}
		refuse(w, http.StatusBadRequest, "user: username 'admin' is reserved")
	})
	const want = "Error: the bootstrap key has no user who could own a key: name an owner with --subject, " +
		"such as User/alice or Account/ci\n"
	f.expect(t.Context(), t, 1, "", want, "keys", "new", "x")
	f.expect(t.Context(), t, 1, "", "Error: HTTP 400: user: username 'admin' is reserved\n", "keys", "new", "x",
		"--subject", "User/admin")
}

func TestWhoami_ExplainsAnAnonymousCaller(t *testing.T) {
	const anonymous = "USERNAME  ROLE  IS ADMIN\n-         user  False\n"
	for name, c := range map[string]struct {
		key    string
		status int
		note   string
	}{
		"no key":              {"", 401, "No key was given: --api-key -, $KEYWRIGHT_API_KEY or a profile."},
		"a refused key":       {"k", 401, "The server does not accept this key."},
		"a key of an account": {"k", 403, accountNote},
		"with apikeys.read":   {"k", 200, accountNote},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/api/auth/me" {
					_, _ = fmt.Fprint(w, `{"username":"","role":"user","is_admin":false}`)
					return
				}
				refuse(w, c.status, "")
			})
			f.env["KEYWRIGHT_API_KEY"] = c.key
			f.expect(t.Context(), t, 0, anonymous, c.note+"\n", "auth", "whoami")
			state, code := map[int]string{401: "the key is refused", 403: "ok", 200: "ok"}[c.status], 0
			if c.key == "" {
				state = "no key"
			} else if c.status == 401 {
				code = 1
			}
			f.expect(t.Context(), t, code, state+"\n", "", "auth", "status", "-o", "jsonpath={.state}")
		})
	}
}

const accountNote = "The key works, but does not belong to a user: keywright keys self"

// A name in place of an id is a frequent mistake.
func TestKeys_NameInPlaceOfAnID(t *testing.T) {
	f := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, "API key not found")
	})
	const hint = `HTTP 404: API key not found: "ci" is not an id. keywright keys get --name finds ids by name` + "\n"
	f.expect(t.Context(), t, 1, "", "Error: "+hint, "keys", "get", "ci")
	f.expect(t.Context(), t, 1, "", "Error: ci: "+hint, "keys", "rotate", "ci")
	f.expect(t.Context(), t, 1, "", "Error: HTTP 404: API key not found\n", "keys", "get",
		"f9477450-c1d7-4b08-9809-645d83bcfa0d")
	// A pattern that matches nothing prints no list.
	f.reply = func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, keyPage()) }
	f.expect(t.Context(), t, 1, "", "Error: no key has a name like \"CI*\"\n", "keys", "get", "--name", "CI*")
	f.expect(t.Context(), t, 0, "No API keys found.\n", "", "keys", "get")
}

// Keys are chosen by names, too, and each is changed by its id.
func TestKeysChange_ByName(t *testing.T) {
	for command, change := range map[string]string{
		"revoke": "PATCH /apiv1/apikeys/%s", "rotate": "POST /apiv1/apikeys/%s/rotate", "remove": "DELETE /apiv1/apikeys/%s",
	} {
		t.Run(command, func(t *testing.T) {
			f := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					writeJSON(w, keyPage("k1", "k2"))
					return
				}
				_, _ = fmt.Fprint(w, `{"data":{"id":"k1","name":"x","token":"the-new-key"}}`)
			})
			args := []string{"keys", command, "--name", "CI*"}
			if command != "rotate" {
				args = append(args, "--force")
			}
			if code := f.Run(t.Context(), args); code != 0 {
				t.Error(code, f.stderr.String())
			}
			want := "GET /apiv1/apikeys, " + fmt.Sprintf(change, "k1") + ", " + fmt.Sprintf(change, "k2")
			if got := f.asked(); got != want {
				t.Errorf("asked %s, want %s", got, want)
			}
			f.expect(t.Context(), t, 2, "", "Error: an id excludes --name\n", append(args, "k3")...)
			f.reply = func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, keyPage()) }
			f.expect(t.Context(), t, 1, "", "Error: no key has a name like \"CI*\"\n", args...)
		})
	}
}

// The caller of a rotation learns how long callers with the old one are accepted.
func TestKeysRotate_ReportsWhenTheOldKeyEnds(t *testing.T) {
	for ends, note := range map[string]string{
		`"2030-01-31T13:00:00Z"`: "The old key of x is accepted until 2030-01-31T13:00:00Z.\n",
		`"2030-01-31T12:00:00Z"`: "The old key of x has ended: callers with it fail.\n",
		`null`:                   "",
	} {
		f := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, `{"data":{"id":"k1","name":"x","token":"the-new-key","previous_ends_at":`+ends+`}}`)
		})
		f.expect(t.Context(), t, 0, "Rotated API key: x (k1)\nNew API Key: the-new-key\n"+
			"Save this API key now - it cannot be retrieved later.\n", note, "keys", "rotate", "k1")
	}
}

// A page is printed before the next is asked for, so that a list needs no more memory than a page.
func TestKeysGet_PrintsPageAfterPage(t *testing.T) {
	for _, format := range []string{"table", "json", "yaml", "name", "csv"} {
		t.Run(format, func(t *testing.T) {
			var f *fixture
			printed := []int{}
			f = newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
				printed = append(printed, f.stdout.Len())
				ids := make([]string, 1000)
				for i := range ids {
					ids[i] = fmt.Sprintf("k%d", len(printed)*1000+i)
				}
				page := keyPage(ids...)
				page["data"].(map[string]any)["total"] = 3000
				writeJSON(w, page)
			})
			if code := f.Run(t.Context(), []string{"keys", "get", "-o", format}); code != 0 {
				t.Error(code, f.stderr.String())
			}
			if len(printed) != 3 || printed[0] != 0 || printed[1] == 0 || printed[2] < printed[1]*3/2 {
				t.Errorf("bytes printed before each page: %v", printed)
			}
		})
	}
}
