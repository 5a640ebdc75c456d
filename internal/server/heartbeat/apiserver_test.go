package heartbeat_test

import (
	"errors"
	"maps"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/test/stack"
)

const namespace = stack.Namespace

var begin = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// bench is a real API server with what config/rbac grants and config/admission refuses, and a clock.
type bench struct {
	*testing.T
	plane *stack.ControlPlane
	clock *clocktesting.FakeClock
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// config is the way in of a ServiceAccount.
func (b *bench) config(account string) *rest.Config {
	b.Helper()
	config, err := b.plane.ServiceAccountConfig(b.Context(), account)
	b.must(err)
	return config
}

// run starts a server in a Pod of that name, under the identity that servers have.
func (b *bench) run(pod, uid string) *server {
	b.Helper()
	s := newServer(b.T, b.config("keywright-server"), b.clock, pod, uid)
	s.start()
	b.rests()
	return s
}

// rests waits until the server has done what there was to do, and waits for its clock.
func (b *bench) rests() {
	b.Helper()
	eventually(b.T, "it waits", b.clock.HasWaiters)
}

// pass lets time go by.
func (b *bench) pass(d time.Duration) {
	b.Helper()
	b.rests()
	b.clock.Step(d)
}

func (b *bench) leases() []coordinationv1.Lease {
	b.Helper()
	var list coordinationv1.LeaseList
	b.must(b.plane.Client.List(b.Context(), &list, client.InNamespace(namespace)))
	return list.Items
}

func (b *bench) lease(name string) *coordinationv1.Lease {
	b.Helper()
	lease := &coordinationv1.Lease{}
	b.must(b.plane.Client.Get(b.Context(), client.ObjectKey{Namespace: namespace, Name: name}, lease))
	return lease
}

// becomes waits until the Lease is as wanted.
func (b *bench) becomes(name, what string, is func(*coordinationv1.Lease) bool) {
	b.Helper()
	eventually(b.T, what, func() bool { return is(b.lease(name)) })
}

func renewedAt(when time.Time) func(*coordinationv1.Lease) bool {
	return func(l *coordinationv1.Lease) bool { return l.Spec.RenewTime.Equal(&metav1.MicroTime{Time: when}) }
}

func telling(revision string) func(*coordinationv1.Lease) bool {
	return func(l *coordinationv1.Lease) bool { return l.Annotations["keywright.dev/configuration"] == revision }
}

func TestARealAPIServer(t *testing.T) {
	plane, err := stack.StartControlPlane(t.Context(), stack.Options{Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := plane.InstallPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, story := range map[string]func(*bench){
		"who, since when, for how long and of which Pod": describes,
		"the configuration, at once":                     tells,
		"renewals":                                       renews,
		"a stop":                                         releases,
		"a container started again":                      goesOn,
		"deleted by hand":                                comesBack,
		"outside of a Pod":                               namesItself,
		"no right":                                       isForbidden,
		"a connection that is lost":                      losesTheConnection,
	} {
		t.Run(name, func(t *testing.T) {
			story(&bench{T: t, plane: plane, clock: clocktesting.NewFakeClock(begin)})
		})
	}
}

func describes(b *bench) {
	b.run("keywright-server-a1b2", "11111111-2222-3333-4444-555555555555")
	l := b.lease("keywright-server-a1b2")
	want := map[string]string{"app.kubernetes.io/name": "keywright", "app.kubernetes.io/component": "server"}
	if !maps.Equal(l.Labels, want) || len(l.Annotations) != 0 {
		b.Errorf("labels %v, annotations %v", l.Labels, l.Annotations)
	}
	if *l.Spec.HolderIdentity != "keywright-server-a1b2" || *l.Spec.LeaseDurationSeconds != 45 ||
		!l.Spec.AcquireTime.Equal(&metav1.MicroTime{Time: begin}) || !renewedAt(begin)(l) {
		b.Errorf("%+v", l.Spec)
	}
	owner := metav1.OwnerReference{APIVersion: "v1", Kind: "Pod", Name: "keywright-server-a1b2", UID: "11111111-2222-3333-4444-555555555555"}
	if len(l.OwnerReferences) != 1 || l.OwnerReferences[0] != owner {
		b.Errorf("owners %v", l.OwnerReferences)
	}
	if m := l.ManagedFields; len(m) != 1 || m[0].Manager != "keywright-server" || m[0].Operation != metav1.ManagedFieldsOperationApply {
		b.Errorf("written by %v", m)
	}
}

func tells(b *bench) {
	s := b.run("teller", "")
	for _, revision := range []string{"aaaaaaaaaaaa", "bbbbbbbbbbbb", "aaaaaaaaaaaa"} {
		s.runs(revision)
		b.becomes("keywright-server-teller", "it tells of "+revision, telling(revision))
	}
	if !renewedAt(begin)(b.lease("keywright-server-teller")) {
		b.Error("time has gone by")
	}
}

func renews(b *bench) {
	b.run("renewer", "")
	for i := 1; i <= 3; i++ {
		b.pass(15*time.Second - 1)
		if !b.clock.HasWaiters() {
			b.Error("it did not wait for 15 s")
		}
		b.pass(1)
		b.becomes("keywright-server-renewer", "it is renewed", renewedAt(begin.Add(time.Duration(i)*15*time.Second)))
	}
}

func releases(b *bench) {
	s := b.run("leaver", "")
	s.runs("aaaaaaaaaaaa")
	b.becomes("keywright-server-leaver", "it tells", telling("aaaaaaaaaaaa"))
	s.stop()
	if l := b.lease("keywright-server-leaver"); *l.Spec.HolderIdentity != "" || !telling("aaaaaaaaaaaa")(l) {
		b.Errorf("%+v %v", l.Spec, l.Annotations)
	}
	if told := s.log.Lines(""); len(told) > 0 {
		b.Errorf("told %s", told)
	}
}

func goesOn(b *bench) {
	first := b.run("again", "uid-1")
	first.runs("aaaaaaaaaaaa")
	b.becomes("keywright-server-again", "it tells", telling("aaaaaaaaaaaa"))
	first.stop()
	b.clock.Step(time.Minute)
	b.run("again", "uid-1")
	l := b.lease("keywright-server-again")
	if *l.Spec.HolderIdentity != "again" || !l.Spec.AcquireTime.Equal(&metav1.MicroTime{Time: begin.Add(time.Minute)}) || !telling("")(l) || len(l.OwnerReferences) != 1 {
		b.Errorf("%+v %v", l.Spec, l.Annotations)
	}
}

func comesBack(b *bench) {
	b.run("deleted", "")
	b.must(b.plane.Client.Delete(b.Context(), b.lease("keywright-server-deleted")))
	b.pass(15 * time.Second)
	b.rests()
	if *b.lease("keywright-server-deleted").Spec.HolderIdentity != "deleted" {
		b.Error("nobody holds it")
	}
}

func namesItself(b *bench) {
	before := len(b.leases())
	b.run("", "uid-without-a-pod")
	b.clock = clocktesting.NewFakeClock(begin) // for the other to be waited for
	b.run("", "")
	var found int
	for _, l := range b.leases() {
		if "keywright-server-"+*l.Spec.HolderIdentity == l.Name && len(*l.Spec.HolderIdentity) == 10 && len(l.OwnerReferences) == 0 {
			found++
		}
	}
	if found != 2 || len(b.leases()) != before+2 {
		b.Errorf("%d Leases, %d of them of such servers", len(b.leases())-before, found)
	}
}

// tries lets the server try so many times more.
func (b *bench) tries(times int) {
	b.Helper()
	for range times {
		b.pass(23 * time.Second)
	}
	b.rests()
}

func (b *bench) told(s *server, warnings, infos int) {
	b.Helper()
	if w, i := s.log.Lines(`"level":"WARN"`), s.log.Lines(`"level":"INFO"`); len(w) != warnings || len(i) != infos {
		b.Errorf("told %s and %s", w, i)
	}
}

func isForbidden(b *bench) {
	nobody := metav1.ObjectMeta{Namespace: namespace, Name: "nobody"}
	b.must(b.plane.Client.Create(b.Context(), &corev1.ServiceAccount{ObjectMeta: nobody}))
	s := newServer(b.T, b.config("nobody"), b.clock, "forbidden", "")
	s.start()
	b.tries(6)
	b.told(s, 1, 0)
	if len(s.log.Lines("forbidden: User")) != 1 {
		b.Errorf("it does not say why: %s", s.log.Lines(""))
	}
	b.must(b.plane.Client.Create(b.Context(), &rbacv1.RoleBinding{
		ObjectMeta: nobody,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "keywright-server"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "nobody"}},
	}))
	eventually(b.T, "it is heard", func() bool { b.tries(1); return len(s.log.Lines("can be reported again")) == 1 })
	b.tries(3)
	b.told(s, 1, 1)
}

func losesTheConnection(b *bench) {
	var cut atomic.Bool
	config := b.config("keywright-server")
	config.Wrap(func(through http.RoundTripper) http.RoundTripper {
		return transport(func(r *http.Request) (*http.Response, error) {
			if cut.Load() {
				return nil, errors.New("the connection is cut")
			}
			return through.RoundTrip(r)
		})
	})
	s := newServer(b.T, config, b.clock, "cut-off", "")
	s.start()
	b.rests()
	for i := 1; i <= 2; i++ {
		cut.Store(true)
		b.tries(4)
		b.told(s, i, i-1)
		s.runs("aaaaaaaaaaaa")
		cut.Store(false)
		b.tries(2)
		b.told(s, i, i)
		b.becomes("keywright-server-cut-off", "it tells what came meanwhile", telling("aaaaaaaaaaaa"))
	}
}
