package profile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// SaveToFile writes a key, and who it belongs to, into a profile of the file. Everything else in the file stays as it
// is, comments too.
func (c *Config) SaveToFile(name string, s Server, key string) error {
	s.APIKey, s.APIKeyCmd, s.Store = key, nil, ""
	return c.save(name, s)
}

// SaveToKeyring writes a key into the keyring, and into the profile that it is there.
func (c *Config) SaveToKeyring(ctx context.Context, name string, s Server, key string) error {
	if err := writeKeyring(ctx, s.URL, key); err != nil {
		return err
	}
	s.APIKey, s.APIKeyCmd, s.Store = "", nil, StoreKeyring
	return c.save(name, s)
}

// setting is a line of a profile; one without a value is removed.
type setting struct{ name, value string }

func settingsOf(s *Server) []setting {
	all := []setting{
		{"url", quote(s.URL)}, {"username", ""}, {"api_key", ""}, {"api_key_cmd", ""}, {"store", ""}, {"no_verify_ssl", ""},
		{"ca_file", ""},
	}
	if s.Username != "" {
		all[1].value = quote(s.Username)
	}
	if s.APIKey != "" {
		all[2].value = quote(s.APIKey)
	}
	if s.Store != "" {
		all[4].value = quote(s.Store)
	}
	if s.NoVerifySSL {
		all[5].value = "true"
	}
	if s.CAFile != "" {
		all[6].value = quote(s.CAFile)
	}
	return all
}

// quote returns a basic string of TOML.
func quote(text string) string { return strconv.QuoteToASCII(text) }

// save edits the text of the file line by line, and checks that the result means what it should before it is written.
func (c *Config) save(name string, s Server) error {
	text, err := os.ReadFile(c.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	edited := edit(string(text), name, settingsOf(&s))
	server := c.Default.Server
	if c.BecomesDefault(name) {
		edited, server = editDefault(edited, name), name
	}
	read := &Config{Path: c.Path}
	if err := read.parse([]byte(edited)); err != nil || !reflect.DeepEqual(read.Servers[name], s) ||
		read.Default.Server != server {
		return fmt.Errorf("%s: can't change profile %q without rewriting it: change it by hand", c.Path, name)
	}
	return write(c.Path, edited)
}

// BecomesDefault reports whether saving a profile makes it the default: when it is the only one, and none is chosen.
func (c *Config) BecomesDefault(name string) bool {
	_, known := c.Servers[name]
	return c.Default.Server == "" && (len(c.Servers) == 0 || known && len(c.Servers) == 1)
}

// editDefault names the default profile, which the text does not.
func editDefault(text, name string) string {
	const header = "[default]\n"
	line := header + "server = " + quote(name) + "\n"
	if strings.HasPrefix(text, header) {
		return line + strings.TrimPrefix(text, header)
	}
	if before, after, found := strings.Cut(text, "\n"+header); found {
		return before + "\n" + line + after
	}
	return line + "\n" + text
}

func edit(text, name string, settings []setting) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if text == "" {
		lines = nil
	}
	begin := slices.IndexFunc(lines, func(line string) bool { return isHeader(line, name) })
	if begin < 0 {
		if len(lines) > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, "[servers."+key(name)+"]")
		begin = len(lines) - 1
	}
	end := begin + 1
	for end < len(lines) && !strings.HasPrefix(strings.TrimSpace(lines[end]), "[") {
		end++
	}
	return strings.Join(slices.Concat(lines[:begin+1], editTable(lines[begin+1:end], settings), lines[end:]), "\n") + "\n"
}

// editTable replaces, removes and adds settings.
func editTable(lines []string, settings []setting) []string {
	rest := slices.Clone(settings)
	var edited []string
	for _, line := range lines {
		i := slices.IndexFunc(rest, func(s setting) bool {
			return regexp.MustCompile(`^\s*` + s.name + `\s*=`).MatchString(line)
		})
		if i < 0 {
			edited = append(edited, line)
			continue
		}
		if rest[i].value != "" {
			edited = append(edited, rest[i].name+" = "+rest[i].value)
		}
		rest = slices.Delete(rest, i, i+1)
	}
	var added []string
	for _, s := range rest {
		if s.value != "" {
			added = append(added, s.name+" = "+s.value)
		}
	}
	return append(added, edited...)
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// key returns a name as a key of TOML.
func key(name string) string {
	if bareKey.MatchString(name) {
		return name
	}
	return quote(name)
}

func isHeader(line, name string) bool {
	line, _, _ = strings.Cut(line, "#")
	line = strings.TrimSpace(line)
	return line == "[servers."+name+"]" || line == "[servers."+quote(name)+"]"
}

// write replaces the file in one step. Only its owner can read it.
func write(path, text string) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(folder, ".config-*.toml")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
