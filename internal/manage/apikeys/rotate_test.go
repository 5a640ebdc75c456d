package apikeys_test

import (
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
)

func (e *env) rotate(id string, r apikeys.Rotation) (*apikeys.Issued, error) {
	return e.Service.Rotate(ctx, e.admin(), ci, id, given(r))
}

func TestRotate_OnlyTheKeyThatWasSeen(t *testing.T) {
	env := newEnv(t)
	first := env.create(t, ci, apikeys.Wanted{})
	env.Pass(time.Hour)
	second, err := env.rotate(first.ID, apikeys.Rotation{KeyID: first.KeyID})
	if err != nil || second.KeyID == first.KeyID {
		t.Fatal(second, err)
	}
	env.Pass(time.Hour)
	_, err = env.rotate(first.ID, apikeys.Rotation{KeyID: first.KeyID})
	want(t, err, manage.Conflict, "API key Some key was rotated at 2030-01-01T01:00:00Z")
	if !env.Verifier.Verify(second.Token.Plaintext(), env.Time()).Accepted() {
		t.Error("the key was rotated twice")
	}
	_, err = env.rotate("uid-of-ci-manages", apikeys.Rotation{KeyID: first.KeyID})
	want(t, err, manage.Conflict, "API key ci-manages was rotated at 2029-12-31T00:00:00Z")
	for _, bad := range []string{"x", second.Token.Plaintext(), "0123456789ABCDEF"} {
		_, err = env.rotate(first.ID, apikeys.Rotation{KeyID: bad})
		want(t, err, manage.Invalid, "key_id: must be the key id of the current key: 16 hexadecimal characters")
	}
	bare := env.PutKey("bare", ci, "a-key-that-is-not-recorded", func(k *v1alpha1.APIKey) {
		k.Spec.Delivery, k.Status.Keys = v1alpha1.DeliveryResponse, nil
	})
	_, err = env.rotate(string(bare.UID), apikeys.Rotation{KeyID: first.KeyID})
	want(t, err, manage.Conflict, "API key bare has no current key any more")
}

// Of two rotations at the same time, one succeeds the key that both have seen.
func TestRotate_AtTheSameTime(t *testing.T) {
	env := newEnv(t)
	first := env.create(t, ci, apikeys.Wanted{})
	var other *apikeys.Issued
	env.BeforeRecord = func(objects.Object) {
		env.BeforeRecord = nil
		var err error
		if other, err = env.rotate(first.ID, apikeys.Rotation{KeyID: first.KeyID}); err != nil {
			t.Error(err)
		}
	}
	_, err := env.rotate(first.ID, apikeys.Rotation{KeyID: first.KeyID})
	want(t, err, manage.Conflict, "API key Some key was rotated at 2030-01-01T00:00:00Z")
	if other == nil || !env.Verifier.Verify(other.Token.Plaintext(), env.Time()).Accepted() {
		t.Error("the key of the first rotation is refused")
	}
}

func TestRotate_WithAnOverlap(t *testing.T) {
	hour := v1alpha1.Duration("1h")
	limited := func(k *v1alpha1.APIKey) {
		k.Spec.Delivery, k.Spec.Rotation = v1alpha1.DeliveryResponse, &v1alpha1.Rotation{Overlap: &hour}
	}
	for name, c := range map[string]struct {
		change  func(*v1alpha1.APIKey)
		overlap *time.Duration
		// want is how long the old key is accepted, unless the rotation is refused.
		want    time.Duration
		refused string
	}{
		"as usual":               {nil, nil, 0, ""},
		"at once":                {nil, ptr(time.Duration(0)), 0, ""},
		"an hour":                {nil, ptr(time.Hour), time.Hour, ""},
		"a day":                  {nil, ptr(apikeys.MaxOverlap), apikeys.MaxOverlap, ""},
		"as the spec says":       {limited, nil, time.Hour, ""},
		"as long":                {limited, ptr(time.Hour), time.Hour, ""},
		"shorter than the spec":  {limited, ptr(time.Minute), time.Minute, ""},
		"at once, with the spec": {limited, ptr(time.Duration(0)), 0, ""},
		"longer than the spec": {
			limited, ptr(time.Hour + time.Second), 0, "API key k allows an overlap of at most 1h (spec.rotation.overlap)",
		},
		"of a key in a Secret": {
			func(k *v1alpha1.APIKey) { k.Spec.Delivery = v1alpha1.DeliverySecret }, ptr(time.Hour), 0,
			"API key k is delivered in Secret team/k-api-key: its spec decides on the overlap",
		},
	} {
		t.Run(name, func(t *testing.T) {
			const plaintext = "a-key-that-is-to-be-rotated"
			env := newEnv(t)
			k := env.PutKey("k", ci, plaintext, func(k *v1alpha1.APIKey) {
				k.Spec.Delivery = v1alpha1.DeliveryResponse
				if c.change != nil {
					c.change(k)
				}
			})
			_, err := env.rotate(string(k.UID), apikeys.Rotation{Overlap: c.overlap})
			if c.refused != "" {
				want(t, err, manage.Conflict, c.refused)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			isAccepted := func(after time.Duration) bool {
				return env.Verifier.Verify(plaintext, env.Time().Add(after)).Accepted()
			}
			if c.want > 0 && !isAccepted(c.want-time.Second) || isAccepted(c.want) {
				t.Errorf("accepted just before: %t, then: %t", isAccepted(c.want-time.Second), isAccepted(c.want))
			}
		})
	}
	env := newEnv(t)
	for _, bad := range []time.Duration{-time.Second, apikeys.MaxOverlap + time.Second} {
		_, err := env.rotate("uid-of-ci-manages", apikeys.Rotation{Overlap: &bad})
		want(t, err, manage.Invalid, "overlap_seconds: must be from 0 to 86400")
	}
}
