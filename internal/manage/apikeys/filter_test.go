package apikeys_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/test/fakeobjects"
)

const day = 24 * time.Hour

// filtered returns an env with keys of many kinds, besides those of newEnv. Their ages and uses are in days.
func filtered(tb testing.TB) *env {
	tb.Helper()
	e := newEnv(tb)
	now := e.Time()
	ago := func(days int) *metav1.Time { return ptr(metav1.NewTime(now.Add(-time.Duration(days) * day))) }
	put := func(name string, age int, subject v1alpha1.Subject, change func(*v1alpha1.APIKey)) {
		e.PutKey(name, subject, "the-plaintext-of-"+name, func(k *v1alpha1.APIKey) {
			k.CreationTimestamp, k.Status.Keys[0].IssuedAt = *ago(age), *ago(age)
			k.Status.Keys[0].Prefix = "ak_" + name
			if change != nil {
				change(k)
			}
		})
	}
	put("old", 200, ci, func(k *v1alpha1.APIKey) { k.Spec.DisplayName = "Ünter den Linden" })
	put("busy", 200, ci, func(k *v1alpha1.APIKey) { k.Status.Usage.LastUsedAt = ago(100) })
	put("stale", 200, lab, func(k *v1alpha1.APIKey) { k.Status.Usage.LastUsedAt = ago(95) })
	put("fresh", 2, lab, func(k *v1alpha1.APIKey) {
		k.Status.Keys = append(k.Status.Keys, v1alpha1.KeyStatus{
			ID: "00000000000f0f0f", Prefix: "ak_former", State: v1alpha1.KeyOverlapping, IssuedAt: *ago(3),
		})
	})
	put("ending", 3, bob, func(k *v1alpha1.APIKey) { k.Spec.ExpiresAt = ago(-7) })
	put("ended", 4, bob, func(k *v1alpha1.APIKey) { k.Spec.ExpiresAt = ago(0) })
	put("off", 5, ci, func(k *v1alpha1.APIKey) { k.Spec.State, k.Spec.ExpiresAt = v1alpha1.StateDisabled, ago(-8) })
	put("dead", 6, ci, func(k *v1alpha1.APIKey) { k.Spec.State, k.Spec.ExpiresAt = v1alpha1.StateRevoked, ago(-1) })
	put("bare", 7, ci, func(k *v1alpha1.APIKey) { k.Status.Keys = nil })
	e.Uses.Known = map[string]lastuse.Use{
		"uid-of-busy":  {UID: "uid-of-busy", At: now.Add(-time.Hour), From: "192.0.2.1"},
		"uid-of-stale": {UID: "uid-of-stale", At: now.Add(-96 * day), From: "192.0.2.2"},
		"uid-of-fresh": {UID: "uid-of-fresh", At: now.Add(-day), From: "192.0.2.3"},
	}
	return e
}

// names returns the names of the objects of a list.
func (e *env) names(tb testing.TB, by manage.Caller, subject v1alpha1.Subject, q apikeys.Query) []string {
	tb.Helper()
	page, err := e.List(ctx, by, subject, q)
	if err != nil {
		tb.Fatal(err)
	}
	var all []string
	for i := range page.Items {
		all = append(all, page.Items[i].Object.Name)
	}
	return all
}

func TestList_Filters(t *testing.T) {
	const others = "alice-api bob-manages bob-reads ci-manages"
	e := filtered(t)
	id := e.Ring.Digest("the-plaintext-of-fresh").KeyID()
	for name, c := range map[string]struct {
		filter apikeys.Filter
		want   string
	}{
		"none":                    {apikeys.Filter{}, others + " fresh ending ended off dead bare busy old stale"},
		"a part of the name":      {apikeys.Filter{Search: "ÜNTER"}, "old"},
		"a part of the subject":   {apikeys.Filter{Search: "integration/LAB"}, "fresh stale"},
		"a part of the prefix":    {apikeys.Filter{Search: "AK_END"}, "ending ended"},
		"a part of the object":    {apikeys.Filter{Search: "team/b"}, "bob-manages bob-reads bare busy"},
		"a key id":                {apikeys.Filter{Search: id}, "fresh"},
		"a part of a key id":      {apikeys.Filter{Search: id[:8]}, ""},
		"an overlapping prefix":   {apikeys.Filter{Search: "ak_former"}, "fresh"},
		"an overlapping key id":   {apikeys.Filter{Search: "00000000000f0f0f"}, "fresh"},
		"nothing like it":         {apikeys.Filter{Search: "%"}, ""},
		"active":                  {apikeys.Filter{State: apikeys.StateActive}, others + " fresh ending busy old stale"},
		"disabled":                {apikeys.Filter{State: apikeys.StateDisabled}, "off"},
		"expired":                 {apikeys.Filter{State: apikeys.StateExpired}, "ended"},
		"revoked":                 {apikeys.Filter{State: apikeys.StateRevoked}, "dead"},
		"not accepted":            {apikeys.Filter{State: apikeys.StateNotAccepted}, "ended off dead bare"},
		"expiring within 7 days":  {apikeys.Filter{Expiring: 7 * day}, "ending"},
		"within a second less":    {apikeys.Filter{Expiring: 7*day - time.Second}, ""},
		"expiring, even disabled": {apikeys.Filter{Expiring: 8 * day}, "ending off"},
		"unused for 90 days":      {apikeys.Filter{Unused: 90 * day}, "old stale"},
		"unused for 96 days":      {apikeys.Filter{Unused: 96 * day}, "old"},
		"unused for a day":        {apikeys.Filter{Unused: day}, others + " fresh ending ended off dead bare old stale"},
		"never used":              {apikeys.Filter{NeverUsed: true}, others + " ending ended off dead bare old"},
		"never used and expiring": {
			apikeys.Filter{NeverUsed: true, Expiring: 8 * day, State: apikeys.StateActive}, "ending",
		},
		"the caller's own: alice's": {apikeys.Filter{Mine: true}, "alice-api"},
	} {
		t.Run(name, func(t *testing.T) {
			got := e.names(t, e.admin(), v1alpha1.Subject{}, apikeys.Query{Filter: c.filter})
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestList_MineIsTheCallers(t *testing.T) {
	e := filtered(t)
	mine := apikeys.Query{Filter: apikeys.Filter{Mine: true}}
	for name, c := range map[string]struct {
		by      manage.Caller
		subject v1alpha1.Subject
		want    string
	}{
		"a user":                     {e.named("bob"), bob, "bob-manages bob-reads ending ended"},
		"of another subject":         {e.admin(), ci, ""},
		"the bootstrap key has none": {e.by(fakeobjects.BootstrapKey), v1alpha1.Subject{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := e.names(t, c.by, c.subject, mine); strings.Join(got, " ") != c.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestList_Sorts(t *testing.T) {
	e := filtered(t)
	for text, want := range map[string]string{
		"name":       "busy dead ended ending fresh off stale old",
		"-name":      "old stale off fresh ending ended dead busy",
		"created":    "busy old stale dead off ended ending fresh",
		"-created":   "fresh ending ended off dead busy old stale",
		"expires":    "ended dead ending off fresh busy old stale",
		"-expires":   "fresh busy old stale off ending dead ended",
		"last_used":  "ending ended off dead old stale fresh busy",
		"-last_used": "busy fresh stale ending ended off dead old",
	} {
		t.Run(text, func(t *testing.T) {
			by, err := apikeys.ParseSort(text)
			if err != nil || by.String() != text {
				t.Fatal(by, err)
			}
			q := apikeys.Query{Sort: by, Filter: apikeys.Filter{Search: "ak_"}}
			if got := e.names(t, e.admin(), v1alpha1.Subject{}, q); strings.Join(got, " ") != want {
				t.Errorf("got %q", got)
			}
			q.Offset, q.Limit = 2, 3
			page, err := e.List(ctx, e.admin(), v1alpha1.Subject{}, q)
			if err != nil || page.Total != 8 || !page.More || page.Items[0].Object.Name != strings.Fields(want)[2] {
				t.Errorf("%d in all, %v", page.Total, err)
			}
		})
	}
	for _, bad := range []string{"", "-", "names", "--name", "expires_at", "name,created"} {
		_, err := apikeys.ParseSort(bad)
		want(t, err, manage.Invalid, "sort: must be name, created, expires or last_used, or one of them after a -")
	}
}

func TestList_RefusesFilters(t *testing.T) {
	e := filtered(t)
	for name, c := range map[string]struct {
		filter apikeys.Filter
		text   string
	}{
		"a key as the search": {
			apikeys.Filter{Search: bobKey}, "search: is a key: search for its first characters, or its name",
		},
		"an unknown state": {
			apikeys.Filter{State: "Active"}, "state: must be active, disabled, expired, revoked or not_accepted",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := e.List(ctx, e.admin(), ci, apikeys.Query{Filter: c.filter})
			want(t, err, manage.Invalid, c.text)
		})
	}
	if strings.Contains(e.Log.String(), bobKey) {
		t.Error("the key is in the log")
	}
}

// A filter by last use that cannot be evaluated lists nothing.
func TestList_ByUseNeedsTheDatabase(t *testing.T) {
	e := filtered(t)
	e.Uses.Err = fmt.Errorf("connection refused")
	for _, q := range []apikeys.Query{
		{Filter: apikeys.Filter{Unused: day}}, {Filter: apikeys.Filter{NeverUsed: true}},
		{Sort: apikeys.Sort{By: apikeys.SortLastUsed}},
	} {
		_, err := e.List(ctx, e.admin(), ci, q)
		want(t, err, manage.Unavailable, "The database is unavailable")
	}
}

// Whatever the state of a key, it has one of the states that lists can be filtered by.
func TestStates_AreListed(t *testing.T) {
	e := filtered(t)
	page, err := e.List(ctx, e.admin(), v1alpha1.Subject{}, apikeys.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range page.Items {
		k := &page.Items[i]
		if !slices.Contains(apikeys.States(), k.State()) || k.Active != (k.State() == apikeys.StateActive) {
			t.Errorf("%s is %s", k.Object.Name, k.State())
		}
	}
}

// BenchmarkList measures lists of 10,000 keys, with the ratio to the plain list of a page.
func BenchmarkList(b *testing.B) {
	const n = 10_000
	e := newEnv(b)
	e.Uses.Known = make(map[string]lastuse.Use, n)
	for i := range n {
		name := fmt.Sprintf("k-%05d", i)
		e.PutKey(name, ci, "the-plaintext-of-"+name, func(k *v1alpha1.APIKey) {
			k.CreationTimestamp = metav1.NewTime(e.Time().Add(-200 * day))
			if i%2 == 0 {
				e.Uses.Known[string(k.UID)] = lastuse.Use{UID: string(k.UID), At: e.Time().Add(-time.Duration(i) * time.Hour)}
			}
		})
	}
	run := func(b *testing.B, q apikeys.Query) time.Duration {
		b.Helper()
		q.Limit = 50
		for b.Loop() {
			if page, err := e.List(ctx, e.admin(), v1alpha1.Subject{}, q); err != nil || len(page.Items) == 0 {
				b.Fatal(err)
			}
		}
		return b.Elapsed() / time.Duration(b.N)
	}
	var plain time.Duration
	b.Run("plain", func(b *testing.B) { plain = run(b, apikeys.Query{}) })
	for name, q := range map[string]apikeys.Query{
		"search":    {Filter: apikeys.Filter{Search: "k-0999"}},
		"state":     {Filter: apikeys.Filter{State: apikeys.StateActive}},
		"unused":    {Filter: apikeys.Filter{Unused: 90 * day}},
		"last_used": {Sort: apikeys.Sort{By: apikeys.SortLastUsed}},
	} {
		b.Run(name, func(b *testing.B) { b.ReportMetric(float64(run(b, q))/float64(plain), "x-plain") })
	}
}
