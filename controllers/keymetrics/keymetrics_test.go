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

// in returns the time that is d from now.
func in(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }

// key returns a current key that ends at this time, or never if end is nil.
func key(end *metav1.Time) v1alpha1.KeyStatus {
	return v1alpha1.KeyStatus{ID: "secret-id", State: v1alpha1.KeyCurrent, ExpiresAt: end}
}

// old returns an overlapping key that ends at this time.
func old(end *metav1.Time) v1alpha1.KeyStatus {
	return v1alpha1.KeyStatus{ID: "secret-id", State: v1alpha1.KeyOverlapping, ExpiresAt: end}
}

func pending() v1alpha1.KeyStatus { return pendingUntil(nil) }

func pendingUntil(end *metav1.Time) v1alpha1.KeyStatus {
	return v1alpha1.KeyStatus{State: v1alpha1.KeyPending, ExpiresAt: end}
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

// refusedKey is the status of an object with a current key while the server refuses the key with this id.
func refusedKey(id string) v1alpha1.KeyHolderStatus {
	s := status(keys(key(nil)), refused("Leaked"))
	s.Usage.Refused = []v1alpha1.RefusedKey{{ID: id, Reason: "Leaked"}}
	return s
}

// rotatedAt returns a status with the time of its next rotation.
func rotatedAt(at *metav1.Time, s v1alpha1.KeyHolderStatus) v1alpha1.KeyHolderStatus {
	s.NextRotationAt = at
	return s
}

func keys(k ...v1alpha1.KeyStatus) []v1alpha1.KeyStatus { return k }

func TestEntry_StateAndSummary(t *testing.T) {
	for name, c := range map[string]struct {
		status v1alpha1.KeyHolderStatus
		state  State
		// want is the summary of one such object, without its state.
		want summary
	}{
		"a new object":             {status(nil), Pending, summary{}},
		"the first key is pending": {status(keys(pending()), refused(v1alpha1.ReasonIssuing)), Pending, summary{}},
		"a claim link is open":     {status(nil, refused(v1alpha1.ReasonAwaitingClaim)), AwaitingClaim, summary{}},
		"without a key":            {status(nil, refused(v1alpha1.ReasonNoKey)), Pending, summary{}},
		"without a key, stalled":   {status(nil, refused(v1alpha1.ReasonNoKey), stalled()), Stalled, summary{stalled: 1}},
		"accepted":                 {status(keys(key(nil)), accepted()), Active, summary{}},
		"accepted, with an end": {
			status(keys(key(in(time.Hour))), accepted()),
			Active, summary{expiry: instantOf(in(time.Hour))},
		},
		"accepted, and stalled": {status(keys(key(nil)), accepted(), stalled()), Active, summary{stalled: 1}},
		"rotating":              {status(keys(key(nil), pending()), accepted()), Active, summary{}},
		"rotating, before its end": {
			status(keys(key(in(time.Hour)), pendingUntil(in(2*time.Hour))), accepted()),
			Active, summary{expiry: instantOf(in(time.Hour))},
		},
		"replaced before its end": {
			rotatedAt(in(time.Hour), status(keys(key(in(2*time.Hour))), accepted())),
			Active, summary{rotation: instantOf(in(time.Hour))},
		},
		"replaced at its end": {
			rotatedAt(in(time.Hour), status(keys(key(in(time.Hour))), accepted())),
			Active, summary{expiry: instantOf(in(time.Hour)), rotation: instantOf(in(time.Hour))},
		},
		"to be replaced already": {
			rotatedAt(in(0), status(keys(key(in(time.Hour))), accepted())),
			Active, summary{expiry: instantOf(in(time.Hour)), rotation: instantOf(in(0))},
		},
		"to be replaced, but stalled": {
			rotatedAt(in(time.Hour), status(keys(key(in(2*time.Hour))), accepted(), stalled())),
			Active, summary{expiry: instantOf(in(2 * time.Hour)), rotation: instantOf(in(time.Hour)), stalled: 1},
		},
		"in overlap": {
			status(keys(key(nil), old(in(time.Hour)), old(in(2*time.Hour))), accepted()),
			Active, summary{overlapping: 2},
		},
		"an overlap that has ended":  {status(keys(key(nil), old(in(0))), accepted()), Active, summary{}},
		"an old key that has no end": {status(keys(key(nil), old(nil)), accepted()), Active, summary{}},
		"expired, and reported":      {status(keys(key(in(0))), refused(v1alpha1.ReasonExpired)), Expired, summary{}},
		"expired, not reported yet":  {status(keys(key(in(0)), old(in(time.Hour))), accepted()), Expired, summary{}},
		"disabled, in overlap": {
			status(keys(key(in(time.Hour)), old(in(time.Hour))), refused(v1alpha1.ReasonDisabled)),
			Disabled, summary{},
		},
		"the owner is disabled": {status(keys(key(nil)), refused(v1alpha1.ReasonOwnerDisabled)), OwnerDisabled, summary{}},
		"the owner may not own keys": {
			status(keys(key(nil)), refused(v1alpha1.ReasonOwnerDenied), stalled()),
			OwnerDenied, summary{stalled: 1},
		},
		"a role is missing": {
			status(keys(key(nil)), refused(v1alpha1.ReasonUnknownRole), stalled()),
			UnknownRole, summary{stalled: 1},
		},
		"the username is taken": {
			status(nil, refused(v1alpha1.ReasonUsernameTaken), stalled()),
			UsernameTaken, summary{stalled: 1},
		},
		"demoted": {status(nil, refused(v1alpha1.ReasonDemoted)), Demoted, summary{}},
		"revoked": {status(nil, refused(v1alpha1.ReasonRevoked)), Revoked, summary{}},
		"the pepper is lost": {
			status(keys(key(nil)), refused(v1alpha1.ReasonPepperLost), stalled()),
			Stalled, summary{stalled: 1},
		},
		"another object has the key": {
			status(keys(key(nil)), refused(v1alpha1.ReasonKeyInUse), stalled()),
			Stalled, summary{stalled: 1},
		},
		"refused by the server":              {refusedKey("secret-id"), Refused, summary{}},
		"an old key is refused":              {refusedKey("another"), Unknown, summary{}},
		"being deleted":                      {status(nil, refused(v1alpha1.ReasonDeleted)), Deleted, summary{}},
		"a reason the operator never writes": {status(keys(key(nil)), refused("Nonsense")), Unknown, summary{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, want := summaryOf(c.status), c.want
			want.states[c.state] = 1
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// summaryOf returns the summary of objects with these statuses.
func summaryOf(all ...v1alpha1.KeyHolderStatus) (s summary) {
	for i := range all {
		e := entryOf(&all[i])
		s.add(&e, instant(now.Unix()))
	}
	return s
}

func TestSummary_HasEarliestTimes(t *testing.T) {
	var all []v1alpha1.KeyHolderStatus
	for _, ahead := range []time.Duration{2 * time.Hour, time.Hour, 3 * time.Hour} {
		s := status(keys(key(in(ahead))), accepted())
		s.NextRotationAt = in(ahead - 2*time.Hour)
		all = append(all, s)
	}
	got := summaryOf(all...)
	if got.expiry != instantOf(in(time.Hour)) || got.rotation != instantOf(in(-time.Hour)) {
		t.Errorf("got %v and %v", got.expiry, got.rotation)
	}
}

// Every reason of condition Active has a state.
func TestRefusals_HaveStates(t *testing.T) {
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

// collector returns a Collector whose cache has these objects.
func collector(elected, synced bool, objects ...keyholder.Object) *Collector {
	leading := make(chan struct{})
	if elected {
		close(leading)
	}
	c := &Collector{clock: clocktesting.NewFakePassiveClock(now), elected: leading}
	for _, name := range []string{keyholder.AdminUser, keyholder.APIKey} {
		c.kinds = append(c.kinds, kind{name: name, tracker: &tracker{}, synced: func() bool { return synced }})
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

func TestCollector_Collect(t *testing.T) {
	rotated := status(keys(key(in(time.Hour)), old(in(time.Minute))), accepted())
	rotated.NextRotationAt = in(30 * time.Minute)
	demoted := status(nil, refused(v1alpha1.ReasonDemoted))
	ending := status(keys(key(in(2*time.Hour))), accepted())
	c := collector(true, true, admin("secret-name", rotated), admin("ending", ending), admin("other", demoted))
	want := `
# HELP keywright_next_expiry_seconds Time until the next active key ends, without keys that a scheduled rotation replaces in time. Absent without such a key.
# TYPE keywright_next_expiry_seconds gauge
keywright_next_expiry_seconds{kind="AdminUser"} 7200
# HELP keywright_next_rotation_seconds ` +
		`Time until the next scheduled rotation, negative if one is overdue. Absent without a schedule.
# TYPE keywright_next_rotation_seconds gauge
keywright_next_rotation_seconds{kind="AdminUser"} 1800
# HELP keywright_stalled_objects ` +
		`AdminUsers and APIKeys on which a person has to act, whether or not their key is accepted.
# TYPE keywright_stalled_objects gauge
keywright_stalled_objects{kind="APIKey"} 0
keywright_stalled_objects{kind="AdminUser"} 0
`
	err := testutil.CollectAndCompare(c, strings.NewReader(want),
		"keywright_next_expiry_seconds", "keywright_next_rotation_seconds", "keywright_stalled_objects")
	if err != nil {
		t.Error(err)
	}
	got := series(t, c)
	for _, line := range []string{
		"AdminUser active 2", "AdminUser demoted 1", "AdminUser overlapping 1", "AdminUser expired 0", "APIKey active 0",
	} {
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

func TestCollector_PassesLint(t *testing.T) {
	user := admin("one", status(keys(key(in(time.Hour))), accepted()))
	problems, err := testutil.CollectAndLint(collector(true, true, user))
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

func TestCollector_ExportsNothingUntilElectedAndSynced(t *testing.T) {
	for name, c := range map[string]*Collector{
		"another replica leads":   collector(false, true, admin("one", status(nil))),
		"the cache is not synced": collector(true, false, admin("one", status(nil))),
	} {
		if n := testutil.CollectAndCount(c); n != 0 {
			t.Errorf("%s: %d metrics", name, n)
		}
	}
}

func TestTracker_FollowsEvents(t *testing.T) {
	tracked := &tracker{}
	count := func(want ...State) {
		t.Helper()
		var wanted summary
		for _, state := range want {
			wanted.states[state]++
		}
		if got := tracked.summarize(instant(now.Unix())); got != wanted {
			t.Errorf("got %+v, want %+v", got, wanted)
		}
	}
	one, two := admin("one", status(nil)), admin("two", status(nil, refused(v1alpha1.ReasonDisabled)))
	count()
	tracked.handler().OnAdd(one, false)
	tracked.handler().OnAdd(two, false)
	count(Pending, Disabled)
	tracked.handler().OnUpdate(one, admin("one", status(keys(key(nil)), accepted())))
	count(Active, Disabled)
	tracked.handler().OnDelete(one)
	count(Disabled)
	tracked.handler().OnDelete(toolscache.DeletedFinalStateUnknown{Key: "system/two", Obj: two})
	count()
}
