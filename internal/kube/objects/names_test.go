package objects

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/test/kit"
)

func TestObjectName(t *testing.T) {
	for name, want := range map[string]string{
		"alice": "alice", "Alice": "alice", "a.b-c": "a.b-c", "007": "007", "some_body": "some-body-", "x.": "x-",
		"a__b": "a-b-", "a-": "a-",
	} {
		got := ObjectName(name)
		if got != want && (!strings.HasSuffix(want, "-") || len(got) != len(want)+8 || !strings.HasPrefix(got, want)) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// The API server refuses the second of two objects with equal usernames, and no other.
func TestObjectName_IsSharedByEqualUsernamesOnly(t *testing.T) {
	names := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._-]{1,49}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := names.Draw(t, "a"), names.Draw(t, "b")
		if problems := validation.IsDNS1123Subdomain(ObjectName(a)); problems != nil {
			t.Fatal(ObjectName(a), problems)
		}
		if ObjectName(a) != ObjectName(strings.ToUpper(a)) {
			t.Fatalf("%s by case: %s, %s", a, ObjectName(a), ObjectName(strings.ToUpper(a)))
		}
		if username.Fold(a) != username.Fold(b) && ObjectName(a) == ObjectName(b) {
			t.Fatalf("%s and %s meet in %s", a, b, ObjectName(a))
		}
	})
}

func TestKeyPrefix_IsValidForAnyDisplayName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix := keyPrefix(rapid.String().Draw(t, "name"))
		if problems := validation.IsDNS1123Subdomain(prefix + "abcde"); problems != nil || len(prefix) > longestSlug+1 {
			t.Fatal(prefix, problems)
		}
	})
	for name, want := range map[string]string{"CI of  team A!": "ci-of-team-a-", "日本": "key-", "": "key-", "--x--": "x-"} {
		if got := keyPrefix(name); got != want {
			t.Errorf("%q: %s", name, got)
		}
	}
}

func TestKey_IsPrintedByItsID(t *testing.T) {
	const secret = "correct-horse-battery-staple"
	k := &Key{Plaintext: secret, Digest: pepper.Digest{PepperID: "01234567"}}
	var log kit.Log
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", k, "value", *k)
	printed := []string{log.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		printed = append(printed, fmt.Sprintf(verb, k), fmt.Sprintf(verb, *k))
	}
	for _, text := range printed {
		if strings.Contains(text, secret) || !strings.Contains(text, "0000000000000000") {
			t.Error(text)
		}
	}
}

func TestFailure(t *testing.T) {
	group := metav1.SchemeGroupVersion.WithResource("adminusers").GroupResource()
	forbidden := func(why string) error { return apierrors.NewForbidden(group, "alice", errors.New(why)) }
	conflict := apierrors.NewConflict(group, "alice", errors.New("x"))
	for name, c := range map[string]struct{ err, want error }{
		"nothing":  {nil, nil},
		"conflict": {conflict, conflict},
		"exists":   {apierrors.NewAlreadyExists(group, "alice"), ErrExists},
		"gone":     {apierrors.NewNotFound(group, "alice"), ErrGone},
		"the last admin": {
			forbidden("ValidatingAdmissionPolicy 'keywright-last-admin' with binding 'x' denied request: no"), ErrLastAdmin,
		},
		"no right":      {forbidden(`User "system:serviceaccount:a:b" cannot create resource "adminusers"`), ErrUnavailable},
		"overload":      {apierrors.NewTooManyRequests("later", 1), ErrUnavailable},
		"no connection": {errors.New("connection refused"), ErrUnavailable},
	} {
		if got := failure(c.err); !errors.Is(got, c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestFailure_RefusalKeepsItsMessage(t *testing.T) {
	group := schema.GroupResource{Resource: "adminusers"}
	webhook := apierrors.NewBadRequest(`admission webhook "a.example" denied the request: no`)
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a policy": {apierrors.NewForbidden(group, "alice",
			errors.New("ValidatingAdmissionPolicy 'x' denied request: no")),
			`adminusers "alice" is forbidden: ValidatingAdmissionPolicy 'x' denied request: no`},
		"a quota": {apierrors.NewForbidden(group, "alice", errors.New("exceeded quota: few")),
			`adminusers "alice" is forbidden: exceeded quota: few`},
		"a webhook": {webhook, `admission webhook "a.example" denied the request: no`},
		"at length": {apierrors.NewForbidden(group, "alice", errors.New(strings.Repeat("ü", 1000))),
			`adminusers "alice" is forbidden: ` + strings.Repeat("ü", 132) + "…"},
	} {
		var refused *Refused
		if !errors.As(failure(c.err), &refused) || refused.Message != c.want || len(refused.Message) > 300 ||
			errors.Is(refused, ErrUnavailable) {
			t.Errorf("%s: %v", name, failure(c.err))
		}
	}
}

func TestInvalid_ProblemsLeaveOutTheValue(t *testing.T) {
	for message, want := range map[string]string{
		`Invalid value: "x\": y": must be z`:                   "must be z",
		`Invalid value: must be z: or not`:                     "must be z: or not",
		`Too long: may not be more than 3 bytes`:               "may not be more than 3 bytes",
		`Unsupported value: "FOO": supported values: "A", "B"`: `supported values: "A", "B"`,
		`Required value`: "Required value",
	} {
		if got := problemOf(metav1.StatusCause{Message: message}); got != want {
			t.Errorf("%s: %s", message, got)
		}
	}
}
