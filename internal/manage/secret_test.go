package manage_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/manage"
)

func TestSecret_ShowsOnlyItsName(t *testing.T) {
	const plaintext = "correct-horse-battery-staple"
	secret := manage.NewSecret("a key of User/bob", plaintext)
	holder := struct{ Key manage.Secret }{secret}
	encoded, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("issued", "key", secret, "holder", holder)
	for _, text := range []string{
		fmt.Sprintf("%v %+v %#v %x", secret, holder, holder, secret), string(encoded), log.String(),
	} {
		if strings.Contains(text, plaintext) || !strings.Contains(text, "a key of User/bob") {
			t.Error(text)
		}
	}
	if secret.Plaintext() != plaintext {
		t.Error("the plaintext is lost")
	}
}
