package database

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
)

// DefaultPath is the SQLite file where nothing is said.
const DefaultPath = "/var/lib/keywright/keywright.db"

// place is where a database is: one of the two.
type place struct{ file, postgres string }

// Errors of URLs repeat nothing of them, for where one is wrong its password may be anywhere.
var (
	errScheme = errors.New("the database is neither a postgres:// URL, nor a sqlite:/// URL, nor the path of a file")
	errNoURL  = errors.New("the URL of the database can't be read: what is special in its user and password has to be written as %XX")
	errSQLite = errors.New("the URL of a SQLite file is sqlite:// and its absolute path, and nothing else: sqlite:///var/lib/keywright/keywright.db")
)

// settings is how the drivers of other languages are told of a database.
var settings = regexp.MustCompile(`(?i)\b(host|user|password|dbname)\s*=`)

func readURL(text string) (place, error) {
	scheme, rest, hasScheme := strings.Cut(text, ":")
	switch {
	case text == "":
		return place{file: DefaultPath}, nil
	case !hasScheme && !settings.MatchString(text):
		file, err := filepath.Abs(text)
		return place{file: file}, err
	case scheme == "sqlite":
		return readSQLiteURL(text)
	case (scheme == "postgres" || scheme == "postgresql") && strings.HasPrefix(rest, "//"):
		return place{postgres: text}, checkPostgresURL(text)
	default:
		return place{}, errScheme
	}
}

func readSQLiteURL(text string) (place, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host != "" || u.User != nil || u.Opaque != "" || u.RawQuery != "" || u.Fragment != "" ||
		!filepath.IsAbs(u.Path) || strings.HasSuffix(u.Path, "/") {
		return place{}, errSQLite
	}
	return place{file: filepath.Clean(u.Path)}, nil
}

// checkPostgresURL finds those that would be read, and not as they were meant: in postgres://u:1/2@host/db all but u and 1
// is taken for the name of the database, and would be told.
func checkPostgresURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || strings.Contains(text, "#") || strings.Count(text, "@") > 1 || strings.Contains(text, "@") && u.User == nil {
		return errNoURL
	}
	return nil
}

// withoutPassword is an error of a URL, if that can be told.
func withoutPassword(err error, text string) error {
	u, bad := url.Parse(text)
	if bad != nil {
		return errNoURL
	}
	secrets := []string{u.Query().Get("password"), u.Query().Get("sslpassword")}
	if password, has := u.User.Password(); has {
		secrets = append(secrets, password, url.QueryEscape(password), url.PathEscape(password))
	}
	for _, secret := range secrets {
		if secret != "" && strings.Contains(err.Error(), secret) {
			return errNoURL
		}
	}
	return fmt.Errorf("the URL of the database: %w", err)
}
