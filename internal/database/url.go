package database

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
)

// DefaultPath is the SQLite file that an empty URL stands for.
const DefaultPath = "/var/lib/keywright/keywright.db"

// place is the location of a database. One field is set.
type place struct{ file, postgres string }

// Errors do not repeat any part of an invalid URL, because its password may be anywhere in it.
var (
	errScheme = errors.New("the database must be a postgres:// URL, a sqlite:/// URL or the path of a file")
	errNoURL  = errors.New(
		"the database URL is not valid: special characters in user and password have to be written as %XX")
	errSQLite = errors.New(
		"a SQLite URL is sqlite:// and an absolute path, without anything else: sqlite:///var/lib/keywright/keywright.db")
)

// dsn matches connection strings such as host=db user=keywright, which are not URLs.
var dsn = regexp.MustCompile(`(?i)\b(host|user|password|dbname)\s*=`)

func readURL(text string) (place, error) {
	scheme, rest, hasScheme := strings.Cut(text, ":")
	switch {
	case text == "":
		return place{file: DefaultPath}, nil
	case !hasScheme && !dsn.MatchString(text):
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

// checkPostgresURL rejects URLs that parse, but not as intended: in postgres://u:1/2@host/db everything after 1
// is parsed as the name of the database, and would appear in errors.
func checkPostgresURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || strings.Contains(text, "#") || strings.Count(text, "@") > 1 ||
		strings.Contains(text, "@") && u.User == nil {
		return errNoURL
	}
	return nil
}

// withoutPassword returns the error of a URL, or a generic one if the error could contain the password.
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
	return fmt.Errorf("the database URL: %w", err)
}
