package profile_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zalando/go-keyring"
	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/cli/profile"
)

// written returns the path of a configuration file with this text.
func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, path string) *profile.Config {
	t.Helper()
	c, err := profile.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPath(t *testing.T) {
	for name, c := range map[string]struct{ xdg, home, want string }{
		"XDG":                  {"/xdg", "/home/alice", "/xdg/keywright/config.toml"},
		"home":                 {"", "/home/alice", "/home/alice/.config/keywright/config.toml"},
		"a relative XDG":       {"xdg", "/home/alice", "/home/alice/.config/keywright/config.toml"},
		"neither XDG nor home": {"", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := profile.Path(func(name string) string {
				return map[string]string{"XDG_CONFIG_HOME": c.xdg, "HOME": c.home}[name]
			})
			if got != c.want || (err != nil) != (c.want == "") {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
}

func TestLoad_MissingFileIsEmpty(t *testing.T) {
	if c := load(t, filepath.Join(t.TempDir(), "none.toml")); len(c.Servers) != 0 || c.Exposed {
		t.Errorf("%+v", c)
	}
}

// A mistake is named with its place, and no value is repeated: it may be a key.
func TestLoad_NamesMistakes(t *testing.T) {
	const secret = "do-not-print-this-key"
	for name, c := range map[string]struct{ text, want string }{
		"a quote is missing":     {"[servers.eu]\nurl = \"x\napi_key = \"" + secret + "\"", ":2:"},
		"a wrong type":           {"[servers.eu]\nurl = \"x\"\napi_key = 17", ":3:"},
		"a list of a wrong type": {"[servers.eu]\nurl = \"x\"\napi_key_cmd = \"" + secret + "\"", ":3:"},
		"an unknown setting": {
			"[servers.eu]\nurl = \"x\"\napikey = \"" + secret + "\"", ":3:1: servers.eu.apikey is not a setting",
		},
		"an unknown table": {"[server.eu]\nurl = \"x\"", "server.eu is not a setting"},
		"no url":           {"[servers.eu]\napi_key = \"" + secret + "\"", ": servers.eu: url is missing"},
		"two sources": {
			"[servers.eu]\nurl = \"x\"\nstore = \"keyring\"\napi_key = \"" + secret + "\"",
			": servers.eu: only one of api_key, api_key_cmd and store can say where the key is",
		},
		"an empty command": {"[servers.eu]\nurl = \"x\"\napi_key_cmd = []", "must be a list of a program and its arguments"},
		"another store":    {"[servers.eu]\nurl = \"x\"\nstore = \"" + secret + "\"", `: servers.eu: store must be "keyring"`},
		"a table twice":    {"[servers.eu]\nurl = \"x\"\n[servers.eu]\nurl = \"y\"", ":3:"},
		"not UTF-8":        {"[servers.eu]\nurl = \"\xff\"", ":2:"},
	} {
		t.Run(name, func(t *testing.T) {
			path := written(t, c.text)
			_, err := profile.Load(path)
			if err == nil || !strings.HasPrefix(err.Error(), path+":") || !strings.Contains(err.Error(), c.want) ||
				strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestLoad_ReportsExposedKeys(t *testing.T) {
	const withKey, without = "[servers.eu]\nurl = \"x\"\napi_key = \"y\"", "[servers.eu]\nurl = \"x\""
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want bool
	}{
		"a key for all":       {withKey, 0o644, true},
		"a key for a group":   {withKey, 0o640, true},
		"a key for its owner": {withKey, 0o600, false},
		"no key":              {without, 0o644, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := written(t, c.text)
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			if got := load(t, path).Exposed; got != c.want {
				t.Error(got)
			}
		})
	}
}

func TestKey_FromCommand(t *testing.T) {
	for name, c := range map[string]struct {
		command   []string
		key, want string
	}{
		"the first line": {[]string{"printf", " the-key \nuser: alice\n"}, "the-key", ""},
		// There is no shell: a $ is a $.
		"arguments as they are": {[]string{"echo", "$HOME;ls"}, "$HOME;ls", ""},
		"it fails":              {[]string{"false"}, "", "api_key_cmd: false: exit status 1"},
		"it prints nothing":     {[]string{"true"}, "", "api_key_cmd: true printed no key"},
		"it does not exist":     {[]string{"no-such-program"}, "", "api_key_cmd: no-such-program: "},
	} {
		t.Run(name, func(t *testing.T) {
			s := profile.Server{URL: "x", APIKeyCmd: c.command}
			got, err := s.Key(t.Context())
			if got != c.key || (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestKey_FromKeyring(t *testing.T) {
	keyring.MockInit()
	path := filepath.Join(t.TempDir(), "keywright", "config.toml")
	c := load(t, path)
	s := profile.Server{URL: "https://eu.example.com", Username: "alice"}
	if err := c.SaveToKeyring(t.Context(), "eu", s, "the-key"); err != nil {
		t.Fatal(err)
	}
	saved := load(t, path).Servers["eu"]
	if got, err := saved.Key(t.Context()); got != "the-key" || err != nil || saved.KeySource() != "keyring" {
		t.Errorf("%q %v %+v", got, err, saved)
	}
	if text, _ := os.ReadFile(path); strings.Contains(string(text), "the-key") {
		t.Error("the key is in the file")
	}
	other := profile.Server{URL: "https://us.example.com", Store: profile.StoreKeyring}
	if _, err := other.Key(t.Context()); err == nil || err.Error() != "the keyring has no key for https://us.example.com" {
		t.Error(err)
	}
}

// A broken keyring is an error: the key goes into no file instead.
func TestSaveToKeyring_DoesNotFallBack(t *testing.T) {
	keyring.MockInitWithError(os.ErrPermission)
	path := filepath.Join(t.TempDir(), "config.toml")
	err := load(t, path).SaveToKeyring(t.Context(), "eu", profile.Server{URL: "x"}, "the-key")
	if err == nil || !strings.HasPrefix(err.Error(), "the keyring can't be written: ") {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was written")
	}
	s := profile.Server{URL: "x", Store: profile.StoreKeyring}
	if _, err := s.Key(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "the keyring can't be read: ") {
		t.Error(err)
	}
}

func TestKey_StopsWhenInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := profile.Server{URL: "x", APIKeyCmd: []string{"sleep", "60"}}
	if _, err := s.Key(ctx); err == nil {
		t.Error("no error")
	}
}

// Saving changes one profile. Comments, order and other profiles stay.
func TestSaveToFile_KeepsTheRest(t *testing.T) {
	const before = `# My servers
[default]
server = "eu" # the usual one

[servers.eu] # Europe
# the address
url = "https://eu.example.com"
api_key_cmd = ["pass", "keywright"]

[servers.us]
url = "https://us.example.com"
api_key = "the-key-of-us"
`
	path := written(t, before)
	s := profile.Server{URL: "https://eu.example.com", Username: "alice"}
	if err := load(t, path).SaveToFile("eu", s, "the-new-key"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const after = `# My servers
[default]
server = "eu" # the usual one

[servers.eu] # Europe
username = "alice"
api_key = "the-new-key"
# the address
url = "https://eu.example.com"

[servers.us]
url = "https://us.example.com"
api_key = "the-key-of-us"
`
	if string(text) != after {
		t.Errorf("got\n%s", text)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
}

// The first profile becomes the default. One that a person chose stays.
func TestSaveToFile_ChoosesTheFirstAsDefault(t *testing.T) {
	const other = "[servers.us]\nurl = \"https://us.example.com\"\n"
	for name, c := range map[string]struct{ before, want string }{
		"no file":                 {"", "eu"},
		"an empty table":          {"# mine\n[default]\n# none yet\n", "eu"},
		"an empty table first":    {"[default]\n", "eu"},
		"the same profile":        {"[servers.eu]\nurl = \"https://eu.example.com\"\n", "eu"},
		"another profile":         {other, ""},
		"another default":         {"[default]\nserver = \"us\"\n" + other, "us"},
		"a default to be written": {"[default]\nserver = \"eu\"\n", "eu"},
	} {
		t.Run(name, func(t *testing.T) {
			path := written(t, c.before)
			s := profile.Server{URL: "https://eu.example.com", Username: "alice"}
			if err := load(t, path).SaveToFile("eu", s, "the-key"); err != nil {
				t.Fatal(err)
			}
			if got := load(t, path); got.Default.Server != c.want || got.Servers["eu"].APIKey != "the-key" {
				t.Errorf("%+v", got)
			}
		})
	}
}

// A file that can't be edited line by line stays as it is.
func TestSaveToFile_RefusesWhatItCannotEdit(t *testing.T) {
	for name, before := range map[string]string{
		"an inline table":         "servers = {eu = {url = \"https://eu.example.com\"}}\n",
		"a list on several lines": "[servers.eu]\nurl = \"https://eu.example.com\"\napi_key_cmd = [\n\"pass\",\n\"x\",\n]\n",
		"dotted keys":             "[servers]\neu.url = \"https://eu.example.com\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := written(t, before)
			err := load(t, path).SaveToFile("eu", profile.Server{URL: "https://eu.example.com"}, "the-key")
			if err == nil || !strings.HasSuffix(err.Error(), "change it by hand") {
				t.Error(err)
			}
			if text, _ := os.ReadFile(path); string(text) != before {
				t.Errorf("got %s", text)
			}
		})
	}
}

// Whatever the names and values, what is saved is read again, and no other profile changes.
func TestSaveToFile_IsReadAgain(t *testing.T) {
	text := rapid.StringMatching(`[ -~é"\\\n\t#=\[\].]{1,20}`)
	rapid.Check(t, func(t *rapid.T) {
		folder, err := os.MkdirTemp("", "profile")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(folder) }()
		path := filepath.Join(folder, "config.toml")
		want := map[string]profile.Server{}
		for range rapid.IntRange(1, 4).Draw(t, "saves") {
			name := text.Draw(t, "name")
			s := profile.Server{
				URL: text.Draw(t, "url"), Username: text.Draw(t, "username"), NoVerifySSL: rapid.Bool().Draw(t, "noverify"),
				CAFile: text.Draw(t, "ca"),
			}
			c, err := profile.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			key := text.Draw(t, "key")
			if err := c.SaveToFile(name, s, key); err != nil {
				t.Fatal(err)
			}
			s.APIKey = key
			want[name] = s
		}
		c, err := profile.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		for name, s := range want {
			if got := c.Servers[name]; got.URL != s.URL || got.APIKey != s.APIKey || got.Username != s.Username ||
				got.NoVerifySSL != s.NoVerifySSL || got.CAFile != s.CAFile {
				t.Fatalf("%q: got %+v, want %+v", name, got, s)
			}
		}
	})
}
