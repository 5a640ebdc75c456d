package admin_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/manage/lastuse"
)

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
		keyID, hasKey := byName[name]["key_id"].(string)
		delete(byName[name], "key_id")
		if hasKey != strings.Contains(want, "the-") || hasKey && !pepper.IsKeyID(keyID) {
			t.Errorf("%s has key id %q", name, keyID)
		}
		if text, _ := json.Marshal(byName[name]); string(text) != want {
			t.Errorf("got  %s\nwant %s", text, want)
		}
	}
}

func TestUsers_ListTakesParameters(t *testing.T) {
	env := newEnv(t)
	names := func(query string) string {
		t.Helper()
		r := env.ask("GET", list+query, aliceKey, "")
		var said struct {
			Users []struct{ Username string }
			Total int
		}
		if err := json.Unmarshal(r.Body.Bytes(), &said); err != nil || r.Code != 200 {
			return fmt.Sprint(r.Code, " ", detail(r))
		}
		text := fmt.Sprint(said.Total)
		for _, u := range said.Users {
			text += " " + u.Username
		}
		return text
	}
	for query, want := range map[string]string{
		"?sort=name&limit=2":                    "8 a b alice",
		"?sort=name&offset=7":                   "8 sam",
		"?search=GIT&sort=-name":                "2 gitplain git",
		"?role=admin&source=manifest":           "1 git",
		"?enabled=false":                        "1 off",
		"?source=seen&sort=name&limit=&search=": "2 a b sam",
		"?role=root":                            "400 role: must be admin or user",
		"?enabled=yes":                          "400 enabled must be true or false",
		"?limit=0":                              "400 limit must be a number from 1 to 1000",
		"?limit=1001":                           "400 limit must be a number from 1 to 1000",
		"?offset=-1":                            "400 offset must be a number from 0 to 1073741824",
		"?sort=password": "400 sort: must be created, name, role, source, " +
			"last_seen or last_used, with or without a -",
		"?roles=admin":                        `400 "roles" is not a parameter`,
		"?role=admin&role=user":               "400 role is given twice",
		"?%zz":                                "400 The query can't be read",
		"?search=" + strings.Repeat("a", 257): "400 search: must be at most 256 bytes",
	} {
		if got := names(query); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	if r := env.ask("GET", list+"?role=root", plainKey, ""); r.Code != 403 {
		t.Errorf("a caller without the right learns about the input: %d %s", r.Code, r.Body)
	}
}
