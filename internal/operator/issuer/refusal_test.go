package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// statusError returns a reply of the API server with a code and with details, nil as from a webhook.
func statusError(code int32, details *metav1.StatusDetails) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Details: details}}
}

func causes(c ...metav1.StatusCause) *metav1.StatusDetails {
	return &metav1.StatusDetails{Name: "x", Kind: "secrets", Causes: c}
}

var secretKind = schema.GroupKind{Kind: "Secret"}

// A new failure of the API server belongs into this table: either time cures it, or a person has to act.
func TestIsRefusal(t *testing.T) {
	data := field.NewPath("data")
	immutable := apierrors.NewInvalid(secretKind, "x", field.ErrorList{field.Forbidden(data, "immutable")})
	badEntry := apierrors.NewInvalid(secretKind, "x", field.ErrorList{field.Invalid(data, "", "")})
	for name, c := range map[string]struct {
		err              error
		refused, isFixed bool
	}{
		"immutable":              {immutable, true, true},
		"wrapped":                {fmt.Errorf("Deliver: %w", immutable), true, true},
		"invalid":                {apierrors.NewInvalid(secretKind, "x", nil), true, false},
		"an invalid entry":       {badEntry, true, false},
		"a malformed request":    {apierrors.NewBadRequest("x"), true, false},
		"too large":              {apierrors.NewRequestEntityTooLargeError("x"), true, false},
		"forbidden by a policy":  {statusError(http.StatusForbidden, causes(metav1.StatusCause{Message: "no"})), true, false},
		"forbidden by a webhook": {statusError(http.StatusForbidden, nil), true, false},

		"a missing right": {apierrors.NewForbidden(secrets, "x", errors.New("User cannot patch")), false, false},
		"a quota":         {apierrors.NewForbidden(secrets, "x", errors.New("exceeded quota: q")), false, false},
		"a namespace that ends": {statusError(http.StatusForbidden, causes(
			metav1.StatusCause{Type: corev1.NamespaceTerminatingCause})), false, false},
		"another writer":      {apierrors.NewConflict(secrets, "x", errWrite), false, false},
		"an object that went": {apierrors.NewNotFound(secrets, "x"), false, false},
		"a wrong credential":  {apierrors.NewUnauthorized("x"), false, false},
		"a timeout":           {apierrors.NewTimeoutError("x", 1), false, false},
		"too many requests":   {apierrors.NewTooManyRequests("x", 1), false, false},
		"an internal error":   {apierrors.NewInternalError(errWrite), false, false},
		"a deadline":          {context.DeadlineExceeded, false, false},
		"no reply":            {errWrite, false, false},
		"nothing":             {nil, false, false},
	} {
		if isRefusal(c.err) != c.refused || isImmutable(c.err) != c.isFixed {
			t.Errorf("%s: refused for good %t, immutable %t", name, isRefusal(c.err), isImmutable(c.err))
		}
	}
}

// The message of a refusal may quote the key, and keeps the way out.
func TestRun_RefusalIsStalledWithoutTheKey(t *testing.T) {
	f := newFixture(t)
	f.deny = func(plaintext string) error {
		return apierrors.NewInvalid(secretKind, "x", field.ErrorList{field.Forbidden(field.NewPath("data"), plaintext)})
	}
	for range 3 {
		if _, err := f.run(); err != nil {
			t.Fatal(err)
		}
		if reason, message := f.ready(); reason != "WriteRefused" ||
			message != "Secret alice-admin-key is immutable, so that no other key can be written into it: delete it, or name "+
				"another in spec.secret.name. Keywright checks it again every minute." {
			t.Fatalf("%s: %s", reason, message)
		}
	}
	if len(f.user().Status.Keys) != 0 || len(f.denied) != 3 || f.denied[1] != trial || f.denied[2] != trial {
		t.Errorf("keys %v, %d tries", f.user().Status.Keys, len(f.denied))
	}
	f.deny = func(plaintext string) error { return apierrors.NewBadRequest("no dry run of " + plaintext) }
	if _, err := f.run(); err != nil {
		t.Fatal(err)
	}
	reason, _ := f.ready()
	if reason != "WriteRefused" || len(f.denied) != 5 || f.denied[3] != trial || f.denied[4] == trial {
		t.Errorf("%s after %d tries: a webhook without dry run can only be asked by a write", reason, len(f.denied))
	}
	f.deny = nil
	if _, err := f.run(); err != nil {
		t.Fatal(err)
	}
	if reason, _ := f.ready(); reason != "Issued" {
		t.Errorf("%s once it is accepted", reason)
	}
}
