package cluster

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/cli/importfile"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/keyholder"
)

const importSystem = "keywright-system"

// imported returns the object that an import of a user makes, with a key under a pepper unless that is "".
func imported(name string, admin bool, pepperID string, sum byte) keyholder.Object {
	o := userCandidate(importfile.User{Name: name, Admin: admin}, pepperID).object
	o.SetNamespace(importSystem)
	if pepperID != "" {
		digest := pepper.Digest{PepperID: pepperID, Sum: pepper.Sum{sum}}
		o.HolderStatus().Keys = []v1alpha1.KeyStatus{{ID: digest.KeyID(), Digest: digest.String()}}
	}
	return o
}

func only(o keyholder.Object) []keyholder.Object { return []keyholder.Object{o} }

func TestPresence_Plan(t *testing.T) {
	changed := func(o keyholder.Object, change func(*v1alpha1.AdminUser)) keyholder.Object {
		change(o.(*v1alpha1.AdminUser))
		return o
	}
	fromManifest := func(u *v1alpha1.AdminUser) { u.Labels, u.Spec.Delivery = nil, v1alpha1.DeliverySecret }
	for name, c := range map[string]struct {
		present []keyholder.Object
		plain   bool
		want    action
		refusal string
	}{
		"nothing there":               {want: createIt},
		"a plain user, nothing there": {plain: true, want: createIt},
		"the same":                    {present: only(imported("alice", true, "aaaaaaaa", 1)), want: leaveIt},
		"the same, in another case":   {present: only(imported("ALICE", true, "aaaaaaaa", 1)), refusal: "another one"},
		"without its key":             {present: only(imported("alice", true, "", 0)), want: recordIt},
		"under a wrong pepper":        {present: only(imported("alice", true, "bbbbbbbb", 1)), want: recordIt},
		"with another key":            {present: only(imported("alice", true, "aaaaaaaa", 2)), refusal: "another key"},
		"as a plain user":             {present: only(imported("alice", false, "", 0)), refusal: "another one"},
		"a plain user, the same":      {plain: true, present: only(imported("alice", false, "", 0)), want: leaveIt},
		"from a manifest": {
			present: only(changed(imported("alice", true, "aaaaaaaa", 1), fromManifest)), refusal: "another one",
		},
		"the key of another": {present: only(imported("bob", true, "aaaaaaaa", 1)), refusal: "has this key"},
		"both": {
			present: append(only(imported("bob", true, "aaaaaaaa", 1)), imported("alice", true, "", 0)),
			refusal: "has this key",
		},
		"the name of the object": {
			present: only(changed(imported("carol", true, "", 0), func(u *v1alpha1.AdminUser) { u.Name = "alice" })),
			refusal: "another one",
		},
		"being deleted": {
			present: []keyholder.Object{changed(imported("alice", true, "", 0), func(u *v1alpha1.AdminUser) {
				u.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
			})},
			refusal: "is being deleted",
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := importfile.User{Name: "alice", Admin: !c.plain, Sum: pepper.Sum{1}}
			wanted := userCandidate(u, "aaaaaaaa")
			wanted.object.SetNamespace(importSystem)
			got, _, err := present(c.present).plan(&wanted)
			switch {
			case c.refusal == "" && (err != nil || got != c.want):
				t.Errorf("got %d, %v, want %d", got, err, c.want)
			case c.refusal != "" && (err == nil || !strings.Contains(err.Error(), c.refusal)):
				t.Errorf("got %v, want %q", err, c.refusal)
			}
		})
	}
}
