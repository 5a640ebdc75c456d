package claims_test

import (
	"errors"
	"testing"

	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/claims"
	"keywright.dev/keywright/internal/manage/claims/link"
	"keywright.dev/keywright/internal/manage/idempotency/creation"
	"keywright.dev/keywright/test/fakeobjects"
)

// onEachOnce runs a test with a link of each kind to create with an idempotency key.
func onEachOnce(t *testing.T, test func(t *testing.T, e *env, w claims.Wanted, first *claims.Created)) {
	t.Helper()
	for kind, w := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			w.Once = "form-1"
			test(t, newEnv(t), w, &claims.Created{Link: link.Link{Kind: kind}})
		})
	}
}

func TestCreate_OnceOnly(t *testing.T) {
	onEachOnce(t, func(t *testing.T, e *env, w claims.Wanted, first *claims.Created) {
		t.Helper()
		first = e.create(t, w)
		refuse := func() {
			t.Helper()
			_, err := e.replica().Create(t.Context(), e.admin(), given(&w))
			var conflict *manage.Error
			want(t, err, manage.Conflict, "was created already as "+first.UID)
			if errors.As(err, &conflict) && conflict.ID != first.UID {
				t.Errorf("%+v", conflict)
			}
		}
		refuse()
		if err := e.Withdraw(t.Context(), e.admin(), first.ID); err != nil {
			t.Fatal(err)
		}
		refuse()
		e.Pass(creation.Window)
		e.create(t, w)
	})
}

// Neither an object nor an open link is left, and the same idempotency key creates later.
func TestCreate_FailureLeavesNoRecord(t *testing.T) {
	for name, fail := range map[string]func(*env){
		"without the record that can be read": func(e *env) { e.Made.Fail = fakeobjects.FailCall("Made", errDown) },
		"without the object": func(e *env) {
			e.Fail = fakeobjects.FailCall("CreateWaiting", objects.ErrUnavailable)
		},
		"without the link":                    func(e *env) { e.links.failAdd = true },
		"without the record that can be kept": func(e *env) { e.Made.Fail = fakeobjects.FailCall("Keep", errDown) },
	} {
		t.Run(name, func(t *testing.T) {
			onEachOnce(t, func(t *testing.T, e *env, w claims.Wanted, first *claims.Created) {
				t.Helper()
				fail(e)
				_, err := e.Create(t.Context(), e.admin(), given(&w))
				if !manage.Is(err, manage.Unavailable) || e.exists(t, first) {
					t.Fatalf("the object stays: %v", err)
				}
				all, err := e.links.List(t.Context())
				if err != nil || len(all) > 1 || len(all) == 1 && all[0].State != link.Withdrawn {
					t.Errorf("%+v %v", all, err)
				}
				e.Fail, e.Made.Fail, e.links.failAdd = nil, nil, false
				e.mustClaim(t, e.create(t, w))
			})
		})
	}
}
