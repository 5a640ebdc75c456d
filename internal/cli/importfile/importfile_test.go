package importfile_test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/cli/importfile"
)

var (
	sum    = sha256.Sum256([]byte("a key"))
	digest = hex.EncodeToString(sum[:])
)

// database writes a database of JJI with these rows.
func database(t *testing.T, rows ...[]any) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "results 100%.db")
	db, err := sql.Open("sqlite", "file:"+strings.ReplaceAll(path, "%", "%25"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	_, err = db.Exec("CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT, api_key_hash, role TEXT, last_seen TEXT)")
	for _, row := range rows {
		if err == nil {
			_, err = db.Exec("INSERT INTO users (username, role, api_key_hash) VALUES (?, ?, ?)", row...)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestJJI_ReadsUsersAndReportsEachBadOne(t *testing.T) {
	rows := []struct {
		row  []any
		text string
	}{
		{[]any{"alice", "admin", digest}, ""},
		{[]any{"bob", "user", nil}, ""},
		{[]any{"carol", "admin", strings.ToUpper(digest)}, ""},
		{[]any{"Admin", "admin", digest}, "reserved"},
		{[]any{"d", "admin", digest}, "2-50"},
		{[]any{"with blank", "user", nil}, "2-50"},
		{[]any{"erin", "owner", digest}, `role "owner" is neither`},
		{[]any{"frank", "admin", nil}, "without a key"},
		{[]any{"grace", "admin", ""}, "without a key"},
		{[]any{"heidi", "admin", digest[1:]}, "not 64 hexadecimal"},
		{[]any{"ivan", "admin", strings.Repeat("x", 64)}, "not 64 hexadecimal"},
		{[]any{"judy", "admin", []byte{0xff}}, "without a key"},
		{[]any{[]byte{0xff, 0xfe}, "user", nil}, "not text"},
		{[]any{nil, "user", nil}, "not text"},
	}
	var all [][]any
	for _, r := range rows {
		all = append(all, r.row)
	}
	users, err := importfile.JJI(t.Context(), database(t, all...))
	if err != nil || len(users) != len(rows) {
		t.Fatalf("%d users, %v", len(users), err)
	}
	for i, u := range users {
		if text := rows[i].text; text == "" != (u.Err == nil) || u.Err != nil && !strings.Contains(u.Err.Error(), text) {
			t.Errorf("%v: got %v, want %q", rows[i].row, u.Err, text)
		}
		if u.Err == nil && u.Admin != (u.Sum == sum) {
			t.Errorf("%v: %v", rows[i].row, u)
		}
	}
}

func TestJJI_RefusesOtherFiles(t *testing.T) {
	folder := t.TempDir()
	text, empty := filepath.Join(folder, "text.db"), filepath.Join(folder, "empty.db")
	for path, content := range map[string]string{text: strings.Repeat("not a database\n", 100), empty: ""} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		text: "users(username, role, api_key_hash)", empty: "users(username, role, api_key_hash)",
		folder: "users(username, role, api_key_hash)", filepath.Join(folder, "missing.db"): "no such file",
	} {
		if _, err := importfile.JJI(t.Context(), path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", path, err)
		}
	}
	if content, err := os.ReadFile(empty); err != nil || len(content) > 0 {
		t.Errorf("the file was written: %d bytes, %v", len(content), err)
	}
}

func TestList_ReadsCSVAndJSONAlike(t *testing.T) {
	for name, text := range map[string]string{
		"CSV": "\ufeffName, subject,digest,expires,scopes,roles,prefix,length,description\r\n" +
			`ci,Account/ci,sha256:` + digest + `,2030-01-31T12:00:00Z,certs.read certs.write,reader,ci_abc,40,"nightly, and more"` +
			"\r\n",
		"JSON": `[{"name":"ci","subject":"Account/ci","digest":"` + strings.ToUpper(digest) + `","expires":` +
			`"2030-01-31T13:00:00+01:00","scopes":["certs.read","certs.write"],"roles":["reader"],"prefix":"ci_abc",` +
			`"length":40,"description":"nightly, and more"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := importfile.List(strings.NewReader(text))
			if err != nil || len(keys) != 1 || keys[0].Err != nil {
				t.Fatalf("%+v, %v", keys, err)
			}
			k := keys[0]
			if k.Name != "ci" || k.Subject != "Account/ci" || k.Sum != sum || k.Line != 1 || k.Prefix != "ci_abc" ||
				k.Description != "nightly, and more" || k.Length != 40 ||
				strings.Join(k.Scopes, " ") != "certs.read certs.write" || strings.Join(k.Roles, " ") != "reader" ||
				!k.Expires.Equal(time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)) {
				t.Fatalf("%+v", k)
			}
		})
	}
}

// Each bad entry stands between two good ones, which are read.
func TestList_ReportsEachBadEntry(t *testing.T) {
	good := "ci,Account/ci," + digest + ",,40"
	for bad, want := range map[string]string{
		",Account/ci," + digest + ",,":            "name is empty",
		"ci,Account/ci,,,":                        "not 64 hexadecimal",
		"ci,Account/ci,sha1:" + digest + ",,":     "not 64 hexadecimal",
		"ci,Account/ci," + digest + "0,,":         "not 64 hexadecimal",
		"ci,Account/ci," + digest:                 "3 fields, the header has 5",
		"ci,Account/ci," + digest + ",tomorrow,":  "expires",
		"ci,Account/ci," + digest + ",,21":        "so short",
		"ci,Account/ci," + digest + ",,-1":        "so short",
		"ci,Account/ci," + digest + ",,long":      "not a number",
		"c\xffi,Account/ci," + digest + ",,":      "not UTF-8",
		"ci,Account/\"ci," + digest + ",,":        "bare",
		"ci,Account/ci," + digest + ",,99,,,,,,,": "12 fields",
	} {
		keys, err := importfile.List(strings.NewReader(
			"name,subject,digest,expires,length\n" + good + "\n" + bad + "\n" + good + "\n"))
		if err != nil || len(keys) != 3 || keys[0].Err != nil || keys[2].Err != nil || keys[2].Line != 3 {
			t.Errorf("%q: %+v, %v", bad, keys, err)
			continue
		}
		if err := keys[1].Err; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", bad, err, want)
		}
	}
	keys, err := importfile.List(strings.NewReader(
		`[1, null, {"name": 1}, {"username": "x"}, {"name":"ci","subject":"Account/ci","digest":"` + digest + `"}]`))
	if err != nil || len(keys) != 5 || keys[4].Err != nil {
		t.Fatalf("%+v, %v", keys, err)
	}
	for _, k := range keys[:4] {
		if k.Err == nil {
			t.Errorf("%d was read", k.Line)
		}
	}
}

func TestList_RefusesListAsAWhole(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "empty",
		"\r\n":                                 "empty",
		"{}":                                   "JSON object",
		"[":                                    "not valid JSON",
		"name,subject\na,b":                    `no column "digest"`,
		"name,subject,digest,password\n":       "password",
		"name,subject,digest,name\n":           `two columns "name"`,
		"ci,Account/ci," + digest:              "must name columns",
		"\"name":                               "not valid CSV",
		strings.Repeat("name,", 13<<20) + "\n": "larger than 64 MiB",
	} {
		if _, err := importfile.List(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: got %v, want %q", text, err, want)
		}
	}
}

func TestList_DayEndsAtMidnight(t *testing.T) {
	keys, err := importfile.List(strings.NewReader("name,subject,digest,expires\nci,Account/ci," + digest + ",2030-01-31"))
	if err != nil || !keys[0].Expires.Equal(time.Date(2030, 2, 1, 0, 0, 0, 0, time.UTC)) {
		t.Fatal(keys, err)
	}
}

func FuzzList(f *testing.F) {
	f.Add("name,subject,digest\nci,Account/ci," + digest)
	f.Add(`[{"name":"ci","digest":"sha256:` + digest + `","expires":"2030-01-31"}]`)
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := importfile.List(strings.NewReader(text))
		for i, k := range keys {
			if err != nil || k.Line != i+1 || k.Err == nil && k.Name == "" {
				t.Fatalf("%+v, %v", k, err)
			}
		}
	})
}
