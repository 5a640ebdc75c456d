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

// env is an API server with the roles of config/rbac and the policies of config/admission, and a clock.
type env struct {
	*testing.T
	plane *stack.ControlPlane
	clock *clocktesting.FakeClock
}

func (e *env) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

// config returns the kubeconfig of a ServiceAccount.
func (e *env) config(account string) *rest.Config {
	e.Helper()
	config, err := e.plane.ServiceAccountConfig(e.Context(), account)
	e.must(err)
	return config
}

// run starts a server in a Pod of that name, as the ServiceAccount of servers.
func (e *env) run(pod, uid string) *server {
	e.Helper()
	s := newServer(e.T, e.config("keywright-server"), e.clock, pod, uid)
	s.start()
	e.rests()
	return s
}

// rests waits until the server waits for its clock.
func (e *env) rests() {
	e.Helper()
	eventually(e.T, "the server waits", e.clock.HasWaiters)
}

// pass advances the clock.
func (e *env) pass(d time.Duration) {
	e.Helper()
	e.rests()
	e.clock.Step(d)
}

func (e *env) leases() []coordinationv1.Lease {
	e.Helper()
	var list coordinationv1.LeaseList
	e.must(e.plane.Client.List(e.Context(), &list, client.InNamespace(namespace)))
	return list.Items
}

func (e *env) lease(name string) *coordinationv1.Lease {
	e.Helper()
	lease := &coordinationv1.Lease{}
	e.must(e.plane.Client.Get(e.Context(), client.ObjectKey{Namespace: namespace, Name: name}, lease))
	return lease
}

// becomes waits until the Lease meets a condition.
func (e *env) becomes(name, what string, is func(*coordinationv1.Lease) bool) {
	e.Helper()
	eventually(e.T, what, func() bool { return is(e.lease(name)) })
}

func renewedAt(when time.Time) func(*coordinationv1.Lease) bool {
	return func(l *coordinationv1.Lease) bool { return l.Spec.RenewTime.Equal(&metav1.MicroTime{Time: when}) }
}

func reports(revision string) func(*coordinationv1.Lease) bool {
	return func(l *coordinationv1.Lease) bool { return l.Annotations["keywright.dev/configuration"] == revision }
}

func TestReporter_OnAPIServer(t *testing.T) {
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
	for name, test := range map[string]func(*env){
		"has holder, times and owner":          describes,
		"reports a new configuration at once":  reportsRevisions,
		"renews every 15 seconds":              renews,
		"releases the Lease on shutdown":       releases,
		"takes over after a container restart": takesOver,
		"recreates a deleted Lease":            recreates,
		"uses a random name outside a Pod":     namesItself,
		"continues without permission":         continuesWithoutPermission,
		"recovers from a lost connection":      recovers,
		"finds others with a database":         findsDatabases,
	} {
		t.Run(name, func(t *testing.T) {
			test(&env{T: t, plane: plane, clock: clocktesting.NewFakeClock(begin)})
		})
	}
}

func describes(e *env) {
	e.run("keywright-server-a1b2", "11111111-2222-3333-4444-555555555555")
	l := e.lease("keywright-server-a1b2")
	want := map[string]string{"app.kubernetes.io/name": "keywright", "app.kubernetes.io/component": "server"}
	if !maps.Equal(l.Labels, want) || len(l.Annotations) != 0 {
		e.Errorf("labels %v, annotations %v", l.Labels, l.Annotations)
	}
	if *l.Spec.HolderIdentity != "keywright-server-a1b2" || *l.Spec.LeaseDurationSeconds != 45 ||
		!l.Spec.AcquireTime.Equal(&metav1.MicroTime{Time: begin}) || !renewedAt(begin)(l) {
		e.Errorf("%+v", l.Spec)
	}
	owner := metav1.OwnerReference{
		APIVersion: "v1", Kind: "Pod", Name: "keywright-server-a1b2", UID: "11111111-2222-3333-4444-555555555555",
	}
	if len(l.OwnerReferences) != 1 || l.OwnerReferences[0] != owner {
		e.Errorf("owners %v", l.OwnerReferences)
	}
	m := l.ManagedFields
	if len(m) != 1 || m[0].Manager != "keywright-server" || m[0].Operation != metav1.ManagedFieldsOperationApply {
		e.Errorf("written by %v", m)
	}
}

func reportsRevisions(e *env) {
	s := e.run("reporter", "")
	for _, revision := range []string{"aaaaaaaaaaaa", "bbbbbbbbbbbb", "aaaaaaaaaaaa"} {
		s.runs(revision)
		e.becomes("keywright-server-reporter", "the Lease has "+revision, reports(revision))
	}
	if !renewedAt(begin)(e.lease("keywright-server-reporter")) {
		e.Error("the clock has moved")
	}
}

func renews(e *env) {
	e.run("renewer", "")
	for i := 1; i <= 3; i++ {
		e.pass(15*time.Second - 1)
		if !e.clock.HasWaiters() {
			e.Error("renewed before 15 s")
		}
		e.pass(1)
		e.becomes("keywright-server-renewer", "the Lease is renewed", renewedAt(begin.Add(time.Duration(i)*15*time.Second)))
	}
}

func releases(e *env) {
	s := e.run("leaver", "")
	s.runs("aaaaaaaaaaaa")
	e.becomes("keywright-server-leaver", "the Lease has the revision", reports("aaaaaaaaaaaa"))
	s.stop()
	if l := e.lease("keywright-server-leaver"); *l.Spec.HolderIdentity != "" || !reports("aaaaaaaaaaaa")(l) {
		e.Errorf("%+v %v", l.Spec, l.Annotations)
	}
	if logged := s.log.Lines(""); len(logged) > 0 {
		e.Errorf("logged %s", logged)
	}
}

func takesOver(e *env) {
	first := e.run("again", "uid-1")
	first.runs("aaaaaaaaaaaa")
	e.becomes("keywright-server-again", "the Lease has the revision", reports("aaaaaaaaaaaa"))
	first.stop()
	e.clock.Step(time.Minute)
	e.run("again", "uid-1")
	l := e.lease("keywright-server-again")
	acquired := l.Spec.AcquireTime.Equal(&metav1.MicroTime{Time: begin.Add(time.Minute)})
	if *l.Spec.HolderIdentity != "again" || !acquired || !reports("")(l) || len(l.OwnerReferences) != 1 {
		e.Errorf("%+v %v", l.Spec, l.Annotations)
	}
}

func recreates(e *env) {
	e.run("deleted", "")
	e.must(e.plane.Client.Delete(e.Context(), e.lease("keywright-server-deleted")))
	e.pass(15 * time.Second)
	e.rests()
	if *e.lease("keywright-server-deleted").Spec.HolderIdentity != "deleted" {
		e.Error("the Lease has no holder")
	}
}

func namesItself(e *env) {
	before := len(e.leases())
	e.run("", "uid-without-a-pod")
	e.clock = clocktesting.NewFakeClock(begin) // run waits for this clock
	e.run("", "")
	var found int
	for _, l := range e.leases() {
		holder := *l.Spec.HolderIdentity
		if "keywright-server-"+holder == l.Name && len(holder) == 10 && len(l.OwnerReferences) == 0 {
			found++
		}
	}
	if found != 2 || len(e.leases()) != before+2 {
		e.Errorf("%d new Leases, %d of them with random names", len(e.leases())-before, found)
	}
}

// A replica without a database finds one with a database, until that stops or no longer renews its Lease.
func findsDatabases(e *env) {
	newcomer, other := e.run("newcomer", ""), newServer(e.T, e.config("keywright-server"), e.clock, "other", "")
	expect := func(want bool) {
		e.Helper()
		if found, err := newcomer.reporter.OthersHaveDatabase(e.Context()); err != nil || found != want {
			e.Errorf("found %v, error %v, want %v", found, err, want)
		}
	}
	newcomer.hasDatabase.Store(true)
	newcomer.runs("aaaaaaaaaaaa")
	e.becomes("keywright-server-newcomer", "the Lease has the database", hasDatabase)
	expect(false)

	other.start()
	eventually(e.T, "the other replica reports", func() bool { return len(e.named("keywright-server-other")) == 1 })
	expect(false)
	other.hasDatabase.Store(true)
	other.runs("aaaaaaaaaaaa")
	e.becomes("keywright-server-other", "the Lease has the database", hasDatabase)
	expect(true)
	other.stop()
	expect(false)

	crashed := e.lease("keywright-server-other")
	crashed.Spec.HolderIdentity = new("other")
	e.must(e.plane.Client.Update(e.Context(), crashed))
	expect(true)
	e.clock.Step(45 * time.Second)
	expect(false)
}

func hasDatabase(l *coordinationv1.Lease) bool {
	return l.Annotations["keywright.dev/database"] == "answered"
}

// named returns the Lease of that name, if there is one.
func (e *env) named(name string) (found []coordinationv1.Lease) {
	for _, l := range e.leases() {
		if l.Name == name {
			found = append(found, l)
		}
	}
	return found
}

// tries lets the server make more tries.
func (e *env) tries(times int) {
	e.Helper()
	for range times {
		e.pass(23 * time.Second)
	}
	e.rests()
}

func (e *env) expectLogged(s *server, warnings, infos int) {
	e.Helper()
	if w, i := s.log.Lines(`"level":"WARN"`), s.log.Lines(`"level":"INFO"`); len(w) != warnings || len(i) != infos {
		e.Errorf("logged %s and %s", w, i)
	}
}

func continuesWithoutPermission(e *env) {
	stranger := metav1.ObjectMeta{Namespace: namespace, Name: "stranger"}
	e.must(e.plane.Client.Create(e.Context(), &corev1.ServiceAccount{ObjectMeta: stranger}))
	s := newServer(e.T, e.config("stranger"), e.clock, "forbidden", "")
	s.start()
	e.tries(6)
	e.expectLogged(s, 1, 0)
	if len(s.log.Lines("forbidden: User")) != 1 {
		e.Errorf("the reason is not logged: %s", s.log.Lines(""))
	}
	e.must(e.plane.Client.Create(e.Context(), &rbacv1.RoleBinding{
		ObjectMeta: stranger,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "keywright-server"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "stranger"}},
	}))
	eventually(e.T, "the heartbeat is written", func() bool {
		e.tries(1)
		return len(s.log.Lines("is written again")) == 1
	})
	e.tries(3)
	e.expectLogged(s, 1, 1)
}

func recovers(e *env) {
	var cut atomic.Bool
	config := e.config("keywright-server")
	config.Wrap(func(through http.RoundTripper) http.RoundTripper {
		return transport(func(r *http.Request) (*http.Response, error) {
			if cut.Load() {
				return nil, errors.New("the connection is cut")
			}
			return through.RoundTrip(r)
		})
	})
	s := newServer(e.T, config, e.clock, "cut-off", "")
	s.start()
	e.rests()
	for i := 1; i <= 2; i++ {
		cut.Store(true)
		e.tries(4)
		e.expectLogged(s, i, i-1)
		s.runs("aaaaaaaaaaaa")
		cut.Store(false)
		e.tries(2)
		e.expectLogged(s, i, i)
		e.becomes("keywright-server-cut-off", "the Lease has the missed revision", reports("aaaaaaaaaaaa"))
	}
}
