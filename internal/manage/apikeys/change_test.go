package apikeys_test

import (
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage/apikeys"
)

func TestAChangeChangesWhatItNames(t *testing.T) {
	h := newHouse(t)
	end := h.Time().Add(time.Hour)
	first := h.create(t, ci, apikeys.Wanted{Name: "CI", Description: "old", Scopes: []string{"certs.read"}, Roles: []string{"reader"}, Everything: true, ExpiresAt: &end})
	change := func(c apikeys.Change) *apikeys.Key {
		t.Helper()
		k, err := h.Change(ctx, h.admin(), ci, first.ID, given(c))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	if k := change(apikeys.Change{}); k.Name != "CI" || k.Description != "old" || len(k.Scopes) != 1 || len(k.Roles) != 1 || k.Policy == nil || !k.ExpiresAt.Equal(end) || !k.Enabled {
		t.Errorf("nothing was named: %+v", k)
	}
	if k := change(apikeys.Change{Name: ptr("CI 2"), Description: ptr("")}); k.Name != "CI 2" || k.Description != "" || len(k.Scopes) != 1 {
		t.Errorf("%+v", k)
	}
	if k := change(apikeys.Change{Scopes: &[]string{}, Roles: &[]string{}}); len(k.Scopes)+len(k.Roles) != 0 || k.Policy == nil {
		t.Errorf("%+v", k)
	}
	if k := change(apikeys.Change{NoPolicy: true, NoEnd: true}); k.Policy != nil || k.ExpiresAt != nil {
		t.Errorf("%+v", k)
	}
	if k := change(apikeys.Change{EndsIn: 90 * time.Second}); k.ExpiresAt.Sub(h.Time()) != 90*time.Second {
		t.Errorf("%+v", k)
	}
	if k := change(apikeys.Change{Enabled: ptr(false)}); k.Enabled || k.Active || k.Reason != "disabled" {
		t.Errorf("%+v", k)
	}
	if k := change(apikeys.Change{Enabled: ptr(true)}); !k.Enabled || !k.Active || !h.Verifier.Verify(first.Token, h.Time()).Accepted() {
		t.Errorf("%+v", k)
	}
	past := h.Time()
	_, err := h.Change(ctx, h.admin(), ci, first.ID, given(apikeys.Change{ExpiresAt: &past}))
	want(t, err, apikeys.Invalid, "expires_at: must be in the future")
	_, err = h.Change(ctx, h.admin(), ci, first.ID, given(apikeys.Change{Roles: &[]string{"none"}}))
	want(t, err, apikeys.Invalid, `roles: unknown role "none"`)
	_, err = h.Change(ctx, h.admin(), ci, first.ID, given(apikeys.Change{Name: ptr("")}))
	want(t, err, apikeys.Invalid, "name: is required")
	_, err = h.Change(ctx, h.admin(), ci, first.ID, given(apikeys.Change{Description: ptr("\u202a")}))
	want(t, err, apikeys.Invalid, "description: must not have characters that turn the direction of others")
}

// A lifetime is that of each issue; an end stays where it is.
func TestRotation(t *testing.T) {
	h := newHouse(t)
	rotate := func(id string) *apikeys.Issued {
		t.Helper()
		issued, err := h.Rotate(ctx, h.admin(), ci, id)
		if err != nil {
			t.Fatal(err)
		}
		return issued
	}
	end := h.Time().Add(time.Hour)
	byTTL, byEnd := h.create(t, ci, apikeys.Wanted{TTL: time.Hour}), h.create(t, ci, apikeys.Wanted{ExpiresAt: &end})
	h.Pass(50 * time.Minute)
	if next := rotate(byTTL.ID); next.ID != byTTL.ID || next.ExpiresAt.Sub(h.Time()) != time.Hour || next.Token == byTTL.Token || next.Prefix == byTTL.Prefix {
		t.Errorf("%+v", next.Key)
	} else if h.Verifier.Verify(byTTL.Token, h.Time()).Accepted() || !h.Verifier.Verify(next.Token, h.Time()).Accepted() {
		t.Error("the old one goes on, or the new one does not work")
	}
	if next := rotate(byEnd.ID); !next.ExpiresAt.Equal(end) {
		t.Errorf("%+v", next.Key)
	}
	h.Pass(3 * time.Hour)
	if next := rotate(byTTL.ID); !next.Active {
		t.Error("a new one after the end of the old one's lifetime")
	}
	_, err := h.Rotate(ctx, h.admin(), ci, byEnd.ID)
	want(t, err, apikeys.Conflict, "API key Some key has ended at 2030-01-01T01:00:00Z, and so would the next one: set another end first")
}

func TestRotationLeavesAnOverlapWhereTheSpecSaysSo(t *testing.T) {
	h := newHouse(t)
	overlap := v1alpha1.Duration("10m")
	k := h.PutKey("told", ci, "a-key-that-was-told-in-a-reply", func(k *v1alpha1.APIKey) {
		k.Spec.Delivery, k.Spec.Rotation = v1alpha1.DeliveryResponse, &v1alpha1.Rotation{Overlap: &overlap}
	})
	issued, err := h.Rotate(ctx, h.admin(), ci, string(k.UID))
	if err != nil || issued.Token == "" || issued.Secret != nil || issued.Source != apikeys.FromManifest {
		t.Fatalf("%+v %v", issued, err)
	}
	for at, want := range map[time.Duration]bool{0: true, 9 * time.Minute: true, 10 * time.Minute: false} {
		if got := h.Verifier.Verify("a-key-that-was-told-in-a-reply", h.Time().Add(at)).Accepted(); got != want {
			t.Errorf("after %s the old one is accepted: %t", at, got)
		}
	}
}

func TestWhatAManifestOwnsIsChangedThere(t *testing.T) {
	h := newHouse(t)
	text := "API key ci-manages comes from a manifest: change it where that is kept (team/ci-manages)"
	never := func() (*apikeys.Change, error) { panic("nobody reads what can't be done anyway") }
	_, err := h.Change(ctx, h.admin(), ci, "uid-of-ci-manages", never)
	want(t, err, apikeys.Conflict, text)
	_, err = h.Revoke(ctx, h.admin(), ci, "uid-of-ci-manages")
	want(t, err, apikeys.Conflict, text)
	want(t, h.Delete(ctx, h.admin(), ci, "uid-of-ci-manages"), apikeys.Conflict, text)
	if h.Writes() != 0 {
		t.Error("something was written")
	}
	issued, err := h.Rotate(ctx, h.admin(), ci, "uid-of-ci-manages")
	if err != nil || issued.Token != "" || *issued.Secret != (apikeys.Ref{Namespace: "team", Name: "ci-manages-api-key"}) || issued.Source != apikeys.FromManifest {
		t.Errorf("%+v %v", issued, err)
	}
	keys, err := h.Keys(ctx, ci)
	if err != nil || keys[0].Annotations[v1alpha1.AnnotationRotate] == "" {
		t.Error("nobody is asked to rotate it")
	}
	// Who may not learns nothing of it.
	_, err = h.Change(ctx, h.by(bobKey), ci, "uid-of-ci-manages", never)
	want(t, err, apikeys.Forbidden, apikeys.NotPermitted)
}

func TestARevokedKeyStaysOnRecord(t *testing.T) {
	h := newHouse(t)
	issued := h.create(t, ci, apikeys.Wanted{Scopes: []string{"certs.read"}})
	for range 2 {
		k, err := h.Revoke(ctx, h.admin(), ci, issued.ID)
		if err != nil || !k.Revoked || k.Active || k.Reason != "revoked" {
			t.Fatalf("%+v %v", k, err)
		}
	}
	if h.Verifier.Verify(issued.Token, h.Time()).Accepted() {
		t.Error("it is accepted")
	}
	const text = "API key Some key is revoked, and stays so: create another"
	_, err := h.Rotate(ctx, h.admin(), ci, issued.ID)
	want(t, err, apikeys.Conflict, text)
	_, err = h.Change(ctx, h.admin(), ci, issued.ID, given(apikeys.Change{Enabled: ptr(true)}))
	want(t, err, apikeys.Conflict, text)
	if k, err := h.Change(ctx, h.admin(), ci, issued.ID, given(apikeys.Change{Description: ptr("Leaked.")})); err != nil || !k.Revoked {
		t.Error(k, err)
	}
	if err := h.Delete(ctx, h.admin(), ci, issued.ID); err != nil {
		t.Error(err)
	}
	_, err = h.Get(ctx, h.admin(), ci, issued.ID)
	want(t, err, apikeys.NotFound, "API key not found")
}
