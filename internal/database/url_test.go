package database_test

import (
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/test/kit"
)

func TestOpen_FilePaths(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for name, file := range map[string]string{
		"relative.db":                          "relative.db",
		filepath.Join(dir, "absolute.db"):      "absolute.db",
		"sqlite://" + dir + "/by-url.db":       "by-url.db",
		"sqlite://" + dir + "/with%20space.db": "with space.db",
		"odd ?mode=memory&x=%41.db":            "odd ?mode=memory&x=%41.db",
		"made/on/the/way.db":                   "made/on/the/way.db",
	} {
		open(t, name)
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v is readable by others", name, info.Mode())
		}
	}
}

// The error does not repeat any part of the URL, because its password may be anywhere in it.
func TestOpen_RefusesInvalidURLs(t *testing.T) {
	const secret = "s3cr3t"
	for _, bad := range []string{
		"mysql://keywright:s3cr3t@db/keywright",
		"postgres:keywright:s3cr3t@db/keywright",
		"postgres//keywright:s3cr3t@db/keywright",
		"host=db user=keywright password=s3cr3t",
		"password = s3cr3t",
		"postgres://keywright:1/s3cr3t@db/keywright",
		"postgres://keywright:1?s3cr3t@db/keywright",
		"postgres://keywright:1#s3cr3t@db/keywright",
		"postgres://keywright:x@s3cr3t@db/keywright",
		"postgres://keywright:s3cr3t%@db/keywright",
		"postgres://keywright:s3cr3t@db:port/keywright",
		"postgres://keywright:s3cr3t@db/keywright?sslmode=nonsense",
		"postgres://keywright:s3cr3t@db/keywright?pool_max_conns=many",
		"postgres://keywright@db/keywright?password=s3cr3t&sslmode=nonsense",
		"postgres://keywright:x@db/keywright?sslmode=verify-full&sslrootcert=/nowhere&sslpassword=s3cr3t",
		"postgres://keywright:s3cr3t@db/keywright?sslmode=s3cr3t",
		"sqlite://s3cr3t/keywright.db",
		"sqlite:s3cr3t.db",
		"sqlite:///s3cr3t.db?mode=memory",
		"sqlite:///s3cr3t/",
		"sqlite://",
		"file:s3cr3t.db",
		":memory:",
		"https://s3cr3t",
	} {
		d, err := database.Open(t.Context(), bad, slog.New(slog.DiscardHandler))
		if err == nil {
			t.Errorf("%s was accepted", bad)
			_ = d.Close()
			continue
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), secret) {
				t.Errorf("%s: %v", bad, e)
			}
		}
	}
}

// Nothing listens at these addresses, so the errors come from the driver.
func TestOpen_RevealsNoPassword(t *testing.T) {
	const secret = "hunter2/:?#@ x"
	there := url.URL{Scheme: "postgres", User: url.UserPassword("keywright", secret), Path: "/keywright"}
	for _, host := range []string{t.TempDir(), "127.0.0.1", "db.invalid"} {
		there.RawQuery = url.Values{"host": {host}, "port": {"1"}}.Encode()
		logged := &kit.Log{}
		d, err := database.Open(t.Context(), there.String(), slog.New(slog.NewTextHandler(logged, nil)))
		must(t, err)
		revealed := logged.String() + d.Err().Error() + d.Sessions().RemoveForUser(t.Context(), "alice").Error()
		if strings.Contains(revealed, "hunter2") {
			t.Error(revealed)
		}
		if why := d.Err().Error(); strings.Contains(why, host) || !strings.HasPrefix(why, "PostgreSQL: ") {
			t.Errorf("the reason is %q", why)
		}
		t.Log(d.Err())
		must(t, d.Close())
	}
}

// config/postgresql/ca and the chart name the certificate authority by this variable.
func TestNew_TakesTheCertificateAuthorityOfTheEnvironment(t *testing.T) {
	t.Setenv("PGSSLROOTCERT", filepath.Join(t.TempDir(), "ca.crt"))
	_, err := database.New("postgres://db.example.com/keywright?sslmode=verify-full", slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "CA file") {
		t.Errorf("got error %v, want one about the missing file", err)
	}
}
