package main

import (
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/test/certs"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/postgres"
)

// documentedJob returns the Job of docs/database.md. test/installation plays it against an API server.
func documentedJob(t *testing.T) *batchv1.Job {
	t.Helper()
	page, err := os.ReadFile("../../docs/database.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yaml\n( *apiVersion: batch/v1\n.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("docs/database.md has no Job")
	}
	job := &batchv1.Job{}
	if err := yaml.UnmarshalStrict(block[1], job); err != nil {
		t.Fatal(err)
	}
	return job
}

// sqliteWithAudit writes a database with one audit entry.
func sqliteWithAudit(t *testing.T, path string) {
	t.Helper()
	d, err := database.Open(t.Context(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	entry := audit.Entry{At: time.Now(), Actor: "User/alice", Action: "users.create", Outcome: "done", Count: 1, Mark: "m"}
	if err := d.Audit().Append(t.Context(), []audit.Entry{entry}); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// The command line of the documented Job copies into a PostgreSQL that it knows by a private authority, and into no
// other.
func TestMigrateDatabase_AsDocumentedOverTLS(t *testing.T) {
	private := certs.New(t)
	pair := private.Lasting(t, "db.example.com")
	server := postgres.StartTLS(t, pair.Certificate, pair.Key)
	target, err := server.SecureURL(server.URL(), "127.0.0.1", url.Values{"sslmode": {"verify-full"}})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	sqliteWithAudit(t, filepath.Join(folder, "keywright.db"))
	container := documentedJob(t).Spec.Template.Spec.Containers[0]
	if len(container.Env) != 1 || container.Env[0].Name != databaseVariable {
		t.Fatalf("the Job has the variables %v", container.Env)
	}
	t.Setenv(databaseVariable, target+"\n")
	var args []string
	for _, arg := range container.Args {
		args = append(args, strings.ReplaceAll(arg, container.VolumeMounts[0].MountPath, folder))
	}
	for _, c := range []struct {
		authority []byte
		says      string
	}{
		{certs.New(t).PEM, "nothing was copied: "},
		{private.PEM, ""},
	} {
		t.Setenv("PGSSLROOTCERT", certs.Mounted(t, map[string][]byte{"ca.crt": c.authority}).File("ca.crt"))
		var stdout, stderr kit.Log
		err := run(t.Context(), args, &stdout, &stderr)
		if c.says == "" {
			if err != nil || !regexp.MustCompile(`(?m)^audit +1$`).MatchString(stdout.String()) {
				t.Errorf("%v, printed %s%s", err, stdout.String(), stderr.String())
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), c.says) || !strings.Contains(err.Error(), "unknown authority") {
			t.Errorf("got %v, want %s", err, c.says)
		}
	}
}
