package profile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Config is the content of the file.
type Config struct {
	Default struct {
		// Server is the name of the profile to use when none is given.
		Server string `toml:"server"`
	} `toml:"default"`
	// Servers are the profiles by name.
	Servers map[string]Server `toml:"servers"`

	// Path is the file's path, and Exposed is true when it holds a key and others can read it.
	Path    string `toml:"-"`
	Exposed bool   `toml:"-"`
}

// Server is one profile. At most one of APIKey, APIKeyCmd and Store says where the key is.
type Server struct {
	URL         string `toml:"url"`
	Username    string `toml:"username"`
	NoVerifySSL bool   `toml:"no_verify_ssl"`
	// CAFile has the authorities of the server's certificate. Empty: those of the system.
	CAFile string `toml:"ca_file"`
	APIKey string `toml:"api_key"`
	// APIKeyCmd is a program and its arguments. It is run without a shell, and prints the key.
	APIKeyCmd []string `toml:"api_key_cmd"`
	// Store is "keyring" for a key in the keyring of the desktop.
	Store string `toml:"store"`
}

// StoreKeyring is the one value of Server.Store.
const StoreKeyring = "keyring"

// Path returns the path of the file: below $XDG_CONFIG_HOME, or ~/.config.
func Path(getenv func(string) string) (string, error) {
	// The XDG base directory specification: a relative path is ignored.
	if base := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "keywright", "config.toml"), nil
	}
	home := getenv("HOME")
	if home == "" {
		home = getenv("USERPROFILE")
	}
	if home == "" {
		return "", errors.New("neither XDG_CONFIG_HOME nor HOME is set, so there is no place for the configuration")
	}
	return filepath.Join(home, ".config", "keywright", "config.toml"), nil
}

// Load reads the file. A missing file is an empty Config. Errors name the file, and the line and column of a mistake;
// they never repeat a value, which may be a key.
func Load(path string) (*Config, error) {
	c := &Config{Path: path}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	if err := c.parse(text); err != nil {
		return nil, err
	}
	c.Exposed, err = exposed(path, c)
	return c, err
}

func (c *Config) parse(text []byte) error {
	decoder := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	err := decoder.Decode(c)
	var unknown *toml.StrictMissingError
	var broken *toml.DecodeError
	switch {
	case errors.As(err, &unknown) && len(unknown.Errors) > 0:
		first := &unknown.Errors[0]
		line, column := first.Position()
		return fmt.Errorf("%s:%d:%d: %s is not a setting", c.Path, line, column, strings.Join(first.Key(), "."))
	case errors.As(err, &broken):
		line, column := broken.Position()
		return fmt.Errorf("%s:%d:%d: %s", c.Path, line, column, strings.TrimPrefix(broken.Error(), "toml: "))
	case err != nil:
		return fmt.Errorf("%s: can't be read as TOML", c.Path)
	}
	for _, name := range c.Names() {
		s := c.Servers[name]
		if problem := s.problem(); problem != "" {
			return fmt.Errorf("%s: servers.%s: %s", c.Path, name, problem)
		}
	}
	return nil
}

// Names returns the names of the profiles, sorted.
func (c *Config) Names() []string { return slices.Sorted(maps.Keys(c.Servers)) }

func (s *Server) problem() string {
	sources := 0
	for _, given := range []bool{s.APIKey != "", s.APIKeyCmd != nil, s.Store != ""} {
		if given {
			sources++
		}
	}
	switch {
	case s.URL == "":
		return "url is missing"
	case sources > 1:
		return "only one of api_key, api_key_cmd and store can say where the key is"
	case s.APIKeyCmd != nil && strings.Join(s.APIKeyCmd, "") == "":
		return "api_key_cmd must be a list of a program and its arguments"
	case s.Store != "" && s.Store != StoreKeyring:
		return `store must be "keyring"`
	}
	return ""
}

// exposed reports whether users other than the owner of a file can read a key in it.
func exposed(path string, c *Config) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	holdsKey := slices.ContainsFunc(slices.Collect(maps.Values(c.Servers)), func(s Server) bool { return s.APIKey != "" })
	return holdsKey && info.Mode().Perm()&0o044 != 0, nil
}
