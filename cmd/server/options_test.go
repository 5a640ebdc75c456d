package main

import (
	"io"
	"strings"
	"testing"
)

// A Secret or ConfigMap made from a file with one line ends with a line break.
func TestParse_ValuesOfFiles(t *testing.T) {
	const postgres = "postgres://keywright:secret@db.example.com/keywright?sslmode=verify-full"
	t.Setenv(databaseVariable, postgres+"\n")
	t.Setenv(pricesFileVariable, "/etc/prices.json\n")
	o, err := parse([]string{"--upstream=http://app.default.svc:8080\n"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if o.database != postgres || o.pricesFile != "/etc/prices.json" || o.upstream == nil {
		t.Errorf("got %q, %q, %v", o.database, o.pricesFile, o.upstream)
	}
}

func TestParse_BlankValues(t *testing.T) {
	for _, c := range []struct{ variable, flag, want string }{
		{databaseVariable, "", "$KEYWRIGHT_DATABASE_URL is blank"},
		{pricesFileVariable, "", "$KEYWRIGHT_PRICES_FILE is blank"},
		{"UNUSED", "--database=\n", "--database is blank"},
		{"UNUSED", "--prices-file= ", "--prices-file is blank"},
		{"UNUSED", "--upstream=\n", "--upstream: "},
	} {
		t.Run(c.want, func(t *testing.T) {
			t.Setenv(c.variable, "\n")
			var args []string
			if c.flag != "" {
				args = []string{c.flag}
			}
			if _, err := parse(args, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want %q", err, c.want)
			}
		})
	}
}
