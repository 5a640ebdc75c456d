package keymetrics

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	clocktesting "k8s.io/utils/clock/testing"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
)

var now = time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)

// in is an instant in the future, or the past.
func in(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }

// key is one that ends at an instant. Nil: never.
func key(end *metav1.Time) v1alpha1.KeyStatus {
	return v1alpha1.KeyStatus{ID: "secret-id", NotAfter: end}
}

func pending() v1alpha1.KeyStatus { return pendingUntil(nil) }

func pendingUntil(end *metav1.Time) v1alpha1.KeyStatus {
	return v1alpha1.KeyStatus{Pending: true, NotAfter: end}
}

func condition(kind string, is metav1.ConditionStatus, reason string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: is, Reason: reason}
}

func accepted() metav1.Condition {
	return condition(v1alpha1.ConditionActive, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
}

func refused(reason string) metav1.Condition {
	return condition(v1alpha1.ConditionActive, metav1.ConditionFalse, reason)
}

func stalled() metav1.Condition {
	return condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretConflict)
}

func status(keys []v1alpha1.KeyStatus, conditions ...metav1.Condition) v1alpha1.KeyHolderStatus {
	return v1alpha1.KeyHolderStatus{Keys: keys, Conditions: conditions}
}

func keys(k ...v1alpha1.KeyStatus) []v1alpha1.KeyStatus { return k }

func TestStates(t *testing.T) {
	for name, c := range map[string]struct {
		status      v1alpha1.KeyHolderStatus
		want        State
		overlapping int
		stalled     int
		expiry      *metav1.Time
	}{
		"nothing has been said yet":               {status(nil), Pending, 0, 0, nil},
		"the first key is on its way":             {status(keys(pending()), refused(v1alpha1.ReasonIssuing)), Pending, 0, 0, nil},
		"there is no key":                         {status(nil, refused(v1alpha1.ReasonNoKey)), Pending, 0, 0, nil},
		"there is no key, and there will be none": {status(nil, refused(v1alpha1.ReasonNoKey), stalled()), Stalled, 0, 1, nil},
		"accepted":                   {status(keys(key(nil)), accepted()), Active, 0, 0, nil},
		"accepted until":             {status(keys(key(in(time.Hour))), accepted()), Active, 0, 0, in(time.Hour)},
		"accepted, and stalled":      {status(keys(key(nil)), accepted(), stalled()), Active, 0, 1, nil},
		"rotating":                   {status(keys(key(nil), pending()), accepted()), Active, 0, 0, nil},
		"rotating, before its end":   {status(keys(key(in(time.Hour)), pendingUntil(in(2*time.Hour))), accepted()), Active, 0, 0, in(time.Hour)},
		"in overlap":                 {status(keys(key(nil), key(in(time.Hour)), key(in(2*time.Hour))), accepted()), Active, 2, 0, nil},
		"an overlap that is over":    {status(keys(key(nil), key(in(0))), accepted()), Active, 0, 0, nil},
		"an old key that has no end": {status(keys(key(nil), key(nil)), accepted()), Active, 0, 0, nil},
		"expired, and told":          {status(keys(key(in(0))), refused(v1alpha1.ReasonExpired)), Expired, 0, 0, nil},
		"expired, not told yet":      {status(keys(key(in(0)), key(in(time.Hour))), accepted()), Expired, 0, 0, nil},
		"disabled, in overlap":       {status(keys(key(in(time.Hour)), key(in(time.Hour))), refused(v1alpha1.ReasonDisabled)), Disabled, 0, 0, nil},
		"its owner is disabled":      {status(keys(key(nil)), refused(v1alpha1.ReasonOwnerDisabled)), OwnerDisabled, 0, 0, nil},
		"its owner may not own keys": {status(keys(key(nil)), refused(v1alpha1.ReasonOwnerDenied), stalled()), OwnerDenied, 0, 1, nil},
		"the username is taken":      {status(nil, refused(v1alpha1.ReasonUsernameTaken), stalled()), UsernameTaken, 0, 1, nil},
		"demoted":                    {status(nil, refused(v1alpha1.ReasonDemoted)), Demoted, 0, 0, nil},
		"revoked":                    {status(nil, refused(v1alpha1.ReasonRevoked)), Revoked, 0, 0, nil},
		"its pepper is lost":         {status(keys(key(nil)), refused(v1alpha1.ReasonPepperLost), stalled()), Stalled, 0, 1, nil},
		"another has the key":        {status(keys(key(nil)), refused(v1alpha1.ReasonKeyInUse), stalled()), Stalled, 0, 1, nil},
		"going":                      {status(nil, refused(v1alpha1.ReasonDeleted)), Deleted, 0, 0, nil},
		"somebody edited it":         {status(keys(key(nil)), refused("Nonsense")), Unknown, 0, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := counted(c.status)
			want := tally{overlapping: c.overlapping, stalled: c.stalled, expiry: instantOf(c.expiry)}
			want.states[c.want] = 1
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// counted is the tally of objects with these statuses.
func counted(all ...v1alpha1.KeyHolderStatus) (t tally) {
	for i := range all {
		e := entryOf(&all[i])
		t.take(&e, instant(now.Unix()))
	}
	return t
}

func TestTheEarliestCounts(t *testing.T) {
	var all []v1alpha1.KeyHolderStatus
	for _, ahead := range []time.Duration{2 * time.Hour, time.Hour, 3 * time.Hour} {
		s := status(keys(key(in(ahead))), accepted())
		s.NextRotation = in(ahead - 2*time.Hour)
		all = append(all, s)
	}
	got := counted(all...)
	if got.expiry != instantOf(in(time.Hour)) || got.rotation != instantOf(in(-time.Hour)) {
		t.Errorf("got %v and %v", got.expiry, got.rotation)
	}
}

// Every reason that the API has for condition Active is told apart.
func TestNoReasonIsUnknown(t *testing.T) {
	for reason, state := range refusals {
		if state == Unknown || state == Active {
			t.Errorf("%s is %s", reason, state)
		}
	}
	for state := range states {
		if state.String() == "" {
			t.Errorf("state %d has no name", state)
		}
	}
}

func admin(name string, s v1alpha1.KeyHolderStatus) *v1alpha1.AdminUser {
	return &v1alpha1.AdminUser{
		ObjectMeta: metav1.ObjectMeta{Namespace: "system", Name: name, UID: types.UID(name)},
		Status:     v1alpha1.AdminUserStatus{KeyHolderStatus: s},
	}
}

// collector has objects, as if a cache had told of them.
func collector(elected, filled bool, objects ...keyholder.Object) *Collector {
	won := make(chan struct{})
	if elected {
		close(won)
	}
	c := &Collector{clock: clocktesting.NewFakePassiveClock(now), elected: won}
	for _, name := range []string{keyholder.AdminUser, keyholder.APIKey} {
		c.kinds = append(c.kinds, kind{name: name, ledger: &ledger{}, filled: func() bool { return filled }})
	}
	for _, o := range objects {
		for _, k := range c.kinds {
			if k.name == keyholder.KindOf(o) {
				k.handler().OnAdd(o, true)
			}
		}
	}
	return c
}

func TestCollect(t *testing.T) {
	rotated := status(keys(key(in(time.Hour)), key(in(time.Minute))), accepted())
	rotated.NextRotation = in(30 * time.Minute)
	c := collector(true, true, admin("secret-name", rotated), admin("other", status(nil, refused(v1alpha1.ReasonDemoted))))
	want := `
# HELP keywright_next_expiry_seconds Time until the next active key ends. Absent when none does.
# TYPE keywright_next_expiry_seconds gauge
keywright_next_expiry_seconds{kind="AdminUser"} 3600
# HELP keywright_next_rotation_seconds Time until the next scheduled rotation, negative when one is overdue. Absent when there is no schedule.
# TYPE keywright_next_rotation_seconds gauge
keywright_next_rotation_seconds{kind="AdminUser"} 1800
# HELP keywright_stalled_objects AdminUsers and APIKeys on which a person has to act, whether their key is accepted or not.
# TYPE keywright_stalled_objects gauge
keywright_stalled_objects{kind="APIKey"} 0
keywright_stalled_objects{kind="AdminUser"} 0
`
	if err := testutil.CollectAndCompare(c, strings.NewReader(want), "keywright_next_expiry_seconds", "keywright_next_rotation_seconds", "keywright_stalled_objects"); err != nil {
		t.Error(err)
	}
	got := series(t, c)
	for _, line := range []string{`AdminUser active 1`, `AdminUser demoted 1`, `AdminUser overlapping 1`, `AdminUser expired 0`, `APIKey active 0`} {
		if !slices.Contains(got, line) {
			t.Errorf("no %s among %v", line, got)
		}
	}
	if want := 2 * (int(states) + 1); len(got) != want {
		t.Errorf("%d series of keywright_keys, want %d", len(got), want)
	}
}

// series lists keywright_keys as "<kind> <state> <value>".
func series(t *testing.T, c prometheus.Collector) (lines []string) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "keywright_keys" {
			continue
		}
		for _, m := range family.GetMetric() {
			line := ""
			for _, label := range m.GetLabel() {
				line += label.GetValue() + " "
			}
			lines = append(lines, line+strings.TrimSuffix(strings.TrimPrefix(m.GetGauge().String(), "value:"), " "))
		}
	}
	return lines
}

func TestLint(t *testing.T) {
	problems, err := testutil.CollectAndLint(collector(true, true, admin("one", status(keys(key(in(time.Hour))), accepted()))))
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

func TestNothingIsToldThatIsNotKnown(t *testing.T) {
	for name, c := range map[string]*Collector{
		"another replica acts":    collector(false, true, admin("one", status(nil))),
		"the cache is not filled": collector(true, false, admin("one", status(nil))),
	} {
		if n := testutil.CollectAndCount(c); n != 0 {
			t.Errorf("%s: %d metrics", name, n)
		}
	}
}

func TestLedgerFollows(t *testing.T) {
	l := &ledger{}
	count := func(want ...State) {
		t.Helper()
		var wanted tally
		for _, state := range want {
			wanted.states[state]++
		}
		if got := l.count(instant(now.Unix())); got != wanted {
			t.Errorf("got %+v, want %+v", got, wanted)
		}
	}
	one, two := admin("one", status(nil)), admin("two", status(nil, refused(v1alpha1.ReasonDisabled)))
	count()
	l.handler().OnAdd(one, false)
	l.handler().OnAdd(two, false)
	count(Pending, Disabled)
	l.handler().OnUpdate(one, admin("one", status(keys(key(nil)), accepted())))
	count(Active, Disabled)
	l.handler().OnDelete(one)
	count(Disabled)
	l.handler().OnDelete(toolscache.DeletedFinalStateUnknown{Key: "system/two", Obj: two})
	count()
}
