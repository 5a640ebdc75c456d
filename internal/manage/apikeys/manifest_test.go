package apikeys_test

import (
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/kube/objects"
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

func TestManifest_OfAKeyAndItsChange(t *testing.T) {
	env := newEnv(t)
	got, err := env.ManifestOf(ctx, env.admin(), ci, "uid-of-ci-manages")
	if err != nil || !strings.Contains(got, "name: ci-manages\n  namespace: team\nspec:\n  scopes:\n  - apikeys.read") {
		t.Errorf("%v\n%s", err, got)
	}
	_, err = env.ManifestOf(ctx, env.by(bobKey), ci, "uid-of-ci-manages")
	want(t, err, manage.Forbidden, apikeys.NotPermitted)
	_, err = env.ManifestOf(ctx, env.admin(), ci, "none")
	want(t, err, manage.NotFound, "API key not found")

	const command = "kubectl patch apikey ci-manages -n team --type merge -p "
	got, err = env.Patch(ctx, env.admin(), ci, "uid-of-ci-manages", given(apikeys.Change{Enabled: ptr(false)}))
	if err != nil || got != command+`'{"spec":{"state":"Disabled"}}'` {
		t.Error(err, got)
	}
	got, err = env.PatchRevoked(ctx, env.admin(), ci, "uid-of-ci-manages")
	if err != nil || got != command+`'{"spec":{"state":"Revoked"}}'` {
		t.Error(err, got)
	}
	_, err = env.Patch(ctx, env.admin(), ci, "uid-of-ci-manages", given(apikeys.Change{Name: ptr("")}))
	want(t, err, manage.Invalid, "name: is required")
	_, err = env.Patch(ctx, env.by(bobReads), bob, "uid-of-bob-reads", given(apikeys.Change{}))
	want(t, err, manage.Forbidden, apikeys.NotPermitted)
	env.Fail = func(string) error { return objects.ErrUnavailable }
	_, err = env.ManifestOf(ctx, env.admin(), ci, "uid-of-ci-manages")
	want(t, err, manage.Unavailable, "The API server is unavailable")
	if len(env.Writes())+len(env.Trail.Entries()) > 0 {
		t.Error(env.Writes(), env.Trail.Entries())
	}
}
