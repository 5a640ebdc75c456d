package settings_test

import (
	"strings"
	"testing"

	"keywright.dev/keywright/internal/settings"
)

func TestParse(t *testing.T) {
	const secret = "change-this-admin-secret"
	for name, c := range map[string]struct {
		data   map[string]string
		want   settings.Settings
		faults []string
	}{
		"nothing":         {nil, settings.Settings{}, nil},
		"empty values":    {map[string]string{"ADMIN_KEY": "", "ADMIN_KEY_SECRET": " "}, settings.Settings{}, nil},
		"a key":           {map[string]string{"ADMIN_KEY": " " + secret + "\n"}, settings.Settings{AdminKey: secret}, nil},
		"a reference":     {map[string]string{"ADMIN_KEY_SECRET": "boot/key.txt"}, settings.Settings{AdminKeySecret: &settings.SecretRef{Name: "boot", Key: "key.txt"}}, nil},
		"both":            {map[string]string{"ADMIN_KEY": secret, "ADMIN_KEY_SECRET": "a/b"}, settings.Settings{}, []string{"ADMIN_KEY: can't be set together with ADMIN_KEY_SECRET"}},
		"short":           {map[string]string{"ADMIN_KEY": "short"}, settings.Settings{}, []string{"ADMIN_KEY: must be at least 16"}},
		"long":            {map[string]string{"ADMIN_KEY": strings.Repeat("x", 257)}, settings.Settings{}, []string{"at most 256"}},
		"not ASCII":       {map[string]string{"ADMIN_KEY": "änderung-nötig-hier"}, settings.Settings{}, []string{"visible ASCII"}},
		"unknown":         {map[string]string{"ADMIN_KYE": secret}, settings.Settings{}, []string{"ADMIN_KYE: is not a setting"}},
		"no slash":        {map[string]string{"ADMIN_KEY_SECRET": "boot"}, settings.Settings{}, []string{"ADMIN_KEY_SECRET: is not of the form <name of a Secret>/<key in it>"}},
		"key for secret":  {map[string]string{"ADMIN_KEY_SECRET": secret}, settings.Settings{}, []string{"ADMIN_KEY_SECRET: is not of the form"}},
		"mistyped":        {map[string]string{"ADMIN_KEY": "ak_" + secret}, settings.Settings{}, []string{"ADMIN_KEY: begins like a generated key"}},
		"path":            {map[string]string{"ADMIN_KEY_SECRET": "../a/b"}, settings.Settings{}, []string{"is not of the form"}},
		"several at once": {map[string]string{"A": "1", "ADMIN_KEY": "short"}, settings.Settings{}, []string{"A: is not", "ADMIN_KEY: must"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, faults := settings.Parse(c.data)
			if len(faults) != len(c.faults) {
				t.Fatalf("faults %v, want %v", faults, c.faults)
			}
			for i, f := range faults {
				if !strings.Contains(f.Error(), c.faults[i]) || strings.Contains(f.Error(), secret) {
					t.Errorf("fault %q, want %q and no secret", f, c.faults[i])
				}
			}
			if c.faults == nil && !equal(got, c.want) {
				t.Fatalf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func equal(a, b settings.Settings) bool {
	if a.AdminKey != b.AdminKey || (a.AdminKeySecret == nil) != (b.AdminKeySecret == nil) {
		return false
	}
	return a.AdminKeySecret == nil || *a.AdminKeySecret == *b.AdminKeySecret
}

func TestTheRuntimeDocumentSurvivesItsWrittenForm(t *testing.T) {
	in := settings.Runtime{BootstrapDigest: "hmac-sha256:01234567:" + strings.Repeat("0", 64)}
	if out, err := settings.ParseRuntime(in.Encode()); err != nil || out != in {
		t.Fatalf("got %+v, %v", out, err)
	}
	if _, err := settings.ParseRuntime("{"); err == nil {
		t.Fatal("half a document was read")
	}
	if out, err := settings.ParseRuntime(`{"fromTheFuture":1}`); err != nil || out != (settings.Runtime{}) {
		t.Fatalf("a newer document: %+v, %v", out, err)
	}
}
