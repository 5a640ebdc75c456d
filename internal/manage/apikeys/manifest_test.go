package apikeys_test

import (
	"testing"
	"time"

	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
)

func TestManifest_OfAKeyToCreate(t *testing.T) {
	env := newEnv(t)
	wanted := apikeys.Wanted{Name: "CI Pipeline", Scopes: []string{"certs.read"}, TTL: 90 * time.Minute, Once: "form"}
	got, err := env.Manifest(ctx, env.admin(), ci, given(wanted))
	const text = `# The operator writes the key into Secret ci-pipeline-api-key, entry key.
apiVersion: keywright.dev/v1alpha1
kind: APIKey
metadata:
  name: ci-pipeline
spec:
  displayName: CI Pipeline
  scopes:
  - certs.read
  subject:
    kind: Account
    name: ci
  ttl: 1h30m
`
	if err != nil || got != text {
		t.Errorf("%v\n%s", err, got)
	}
	// It is refused as the creation is.
	_, err = env.Manifest(ctx, env.admin(), ci, given(apikeys.Wanted{}))
	want(t, err, manage.Invalid, "name: is required")
	_, err = env.Manifest(ctx, env.by(bobKey), ci, given(wanted))
	want(t, err, manage.Forbidden, apikeys.NotPermitted)
	if len(env.Writes())+len(env.Trail.Entries())+len(env.Events()) > 0 {
		t.Error(env.Writes(), env.Trail.Entries())
	}
}
