package tokenusage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/test/fakeobjects"
)

// Keys of callers besides those of the fixture.
const (
	reporterKey = "an-api-key-of-a-program-that-reports-usage"
	readerKey   = "an-api-key-of-a-program-that-reads-usage"
)

// store keeps batches. The other methods of usage.Store are not called.
type store struct {
	usage.Store
	mu      sync.Mutex
	batches [][]usage.Record
	err     error
	// gate holds writes back until it is closed. May be nil.
	gate chan struct{}
	// known are the ids of records that were stored before.
	known []string
}

func (s *store) Append(ctx context.Context, records []usage.Record) (added []*usage.Record, err error) {
	if s.gate != nil {
		<-s.gate
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(ctx.Err(), s.err); err != nil {
		return nil, err
	}
	s.batches = append(s.batches, slices.Clone(records))
	for i := range records {
		if !slices.Contains(s.known, records[i].ID) {
			added = append(added, &records[i])
		}
	}
	return added, nil
}

type env struct {
	*fakeobjects.Fixture
	*tokenusage.Service
	store *store
}

// pricer gives each call the same cost.
type pricer usage.Money

func (p pricer) Price(r *usage.Record) { r.Cost, r.Price = new(usage.Money(p)), "flat" }

func newEnv(tb testing.TB) *env {
	tb.Helper()
	e := &env{Fixture: fakeobjects.NewFixture(tb), store: &store{}}
	e.Service = tokenusage.New(tokenusage.Config{
		Gate: e.Gate, Store: e.store, Pricer: pricer(7), Now: e.Time,
	})
	program := v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
	e.PutKey("reporter", program, reporterKey, func(k *v1alpha1.APIKey) {
		k.Spec.Scopes, k.Spec.Roles = []v1alpha1.Scope{"usage.write"}, []v1alpha1.RoleName{"reader"}
	})
	e.PutKey("reader", program, readerKey, func(k *v1alpha1.APIKey) { k.Spec.Scopes = []v1alpha1.Scope{"usage.read"} })
	return e
}

func (e *env) by(key string) manage.Caller { return manage.Caller{Caller: e.Bearer(key)} }

func call() usage.Record { return usage.Record{Provider: "acme", Model: "large"} }

func TestRecord_StoresTheReporter(t *testing.T) {
	e := newEnv(t)
	for key, want := range map[string]usage.Reporter{
		reporterKey: {
			KeyUID: "uid-of-reporter", Key: "team/reporter", Subject: "Account/ci", Namespace: "team",
			Roles: []string{"reader"},
		},
		fakeobjects.AliceKey: {
			KeyUID: "uid-of-alice", Key: fakeobjects.Namespace + "/alice", Subject: "User/alice",
			Namespace: fakeobjects.Namespace,
		},
		fakeobjects.BootstrapKey: {Subject: "User/admin"},
	} {
		if stored, err := e.Record(t.Context(), e.by(key), []usage.Record{call()}); stored != 1 || err != nil {
			t.Fatalf("%s: %d, %v", key, stored, err)
		}
		got := e.store.batches[len(e.store.batches)-1][0].Reporter
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// counted records whose budgets were brought into force.
type counted []string

func (c *counted) Recorded(_ context.Context, r *usage.Reporter) { *c = append(*c, r.KeyUID) }

func TestRecord_BringsBudgetsIntoForce(t *testing.T) {
	e, reporters := newEnv(t), &counted{}
	e.Budgets = reporters
	if _, err := e.Record(t.Context(), e.by(reporterKey), []usage.Record{call(), call()}); err != nil {
		t.Fatal(err)
	}
	e.store.err = errors.New("the database is away")
	if _, err := e.Record(t.Context(), e.by(reporterKey), []usage.Record{call()}); err == nil {
		t.Fatal("stored")
	}
	if got := fmt.Sprint(*reporters); got != "[uid-of-reporter]" {
		t.Error(got)
	}
}

// A client that sends a batch again, with some new records in it, counts those only.
func TestRecord_CountsNewRecordsOnly(t *testing.T) {
	e, registry := newEnv(t), prometheus.NewRegistry()
	e.Metrics = usage.NewMetrics(registry)
	e.store.known = []string{"before"}
	before, added := call(), call()
	before.ID, before.Input, added.ID, added.Input = "before", 100, "new", 7
	if n, err := e.Record(t.Context(), e.by(reporterKey), []usage.Record{before, added}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	const want = `
# HELP keywright_usage_tokens_total Tokens of recorded AI calls, by class: input, output, cache_read, cache_write.
# TYPE keywright_usage_tokens_total counter
keywright_usage_tokens_total{class="cache_read",model="large",provider="acme"} 0
keywright_usage_tokens_total{class="cache_write",model="large",provider="acme"} 0
keywright_usage_tokens_total{class="input",model="large",provider="acme"} 7
keywright_usage_tokens_total{class="output",model="large",provider="acme"} 0
`
	err := testutil.GatherAndCompare(registry, strings.NewReader(want), "keywright_usage_tokens_total")
	if err != nil {
		t.Error(err)
	}
}

func TestRecord_CompletesRecords(t *testing.T) {
	e := newEnv(t)
	given := call()
	given.ID, given.At, given.Tags = "mine", e.Time().Add(-time.Hour+1), []string{"b", "a", "b"}
	given.Status, given.Cost = usage.StatusError, new(usage.Money(5))
	if _, err := e.Record(t.Context(), e.by(reporterKey), []usage.Record{call(), given}); err != nil {
		t.Fatal(err)
	}
	short, full := e.store.batches[0][0], e.store.batches[0][1]
	if short.ID == "" || !short.At.Equal(e.Time()) || !short.ReceivedAt.Equal(e.Time()) ||
		short.Status != usage.StatusOK || *short.Cost != 7 || short.Price != "flat" {
		t.Errorf("%+v", short)
	}
	if full.ID != "mine" || !full.At.Equal(e.Time().Add(-time.Hour)) || full.Status != usage.StatusError ||
		!slices.Equal(full.Tags, []string{"a", "b"}) || *full.Cost != 5 || full.Price != "" {
		t.Errorf("%+v", full)
	}
}

func TestRecord_NeedsTheRight(t *testing.T) {
	e := newEnv(t)
	for name, c := range map[string]struct {
		caller manage.Caller
		kind   manage.Kind
	}{
		"without a caller": {manage.Caller{}, manage.Unauthorized},
		"anonymous":        {e.by("a-key-that-was-never-issued"), manage.Unauthorized},
		"a reader":         {e.by(readerKey), manage.Forbidden},
	} {
		if _, err := e.Record(t.Context(), c.caller, []usage.Record{{}}); !manage.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(e.store.batches) > 0 {
		t.Error(e.store.batches)
	}
}

// The body may take long to arrive.
func TestRecord_RefusesKeyThatEndedMeanwhile(t *testing.T) {
	e := newEnv(t)
	caller := e.by(reporterKey)
	if err := e.MayRecord(caller); err != nil {
		t.Fatal(err)
	}
	e.PutKey("reporter", v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}, reporterKey,
		func(k *v1alpha1.APIKey) { k.Spec.State = v1alpha1.StateRevoked })
	if _, err := e.Record(t.Context(), caller, []usage.Record{call()}); !manage.Is(err, manage.Unauthorized) {
		t.Error(err)
	}
}

func TestRecord_ABadRecordStoresNothing(t *testing.T) {
	e := newEnv(t)
	bad := call()
	bad.Input = -1
	_, err := e.Record(t.Context(), e.by(reporterKey), []usage.Record{call(), call(), bad})
	const want = "record 2: input_tokens: must be a whole number from 0 to 1000000000"
	if !manage.Is(err, manage.Invalid) || err.Error() != want || len(e.store.batches) > 0 {
		t.Errorf("%v, %v", err, e.store.batches)
	}
}

func TestRecord_KeysAreNoNames(t *testing.T) {
	e := newEnv(t)
	generated, err := e.Generate()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{readerKey, generated.Plaintext} {
		for field, r := range map[string]usage.Record{
			"id": {ID: key}, "job_id": {Job: key}, "call_type": {CallType: key}, "service_tier": {ServiceTier: key},
			"tags": {Tags: []string{key}}, "ai_provider": {Provider: key}, "ai_model": {Model: key},
		} {
			if r.Provider == "" {
				r.Provider = "acme"
			}
			if r.Model == "" {
				r.Model = "large"
			}
			_, err := e.Record(t.Context(), e.by(reporterKey), []usage.Record{r})
			want := "record 0: " + field + ": is a key, and keys must not appear as names"
			if err == nil || err.Error() != want {
				t.Errorf("%s: %v", field, err)
			}
		}
	}
}

func TestRecord_StoresWhatAGoneClientSent(t *testing.T) {
	e := newEnv(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if stored, err := e.Record(ctx, e.by(reporterKey), []usage.Record{call()}); stored != 1 || err != nil {
		t.Errorf("%d, %v", stored, err)
	}
}

func TestRecord_ReportsAnUnavailableStore(t *testing.T) {
	e := newEnv(t)
	e.store.err = errors.New("secret location")
	_, err := e.Record(t.Context(), e.by(reporterKey), []usage.Record{call()})
	if !manage.Is(err, manage.Unavailable) || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

// Whatever is acknowledged is stored, and what is too much is refused at once.
func TestRecord_RefusesWhatIsTooMuchAtOnce(t *testing.T) {
	for name, c := range map[string]struct{ clients, records, fit int }{
		"many clients":  {100, 1, 64},
		"large batches": {12, usage.MaxBatch, 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEnv(t)
				e.store.gate = make(chan struct{})
				results := make(chan error, c.clients)
				for range c.clients {
					go func() {
						_, err := e.Record(t.Context(), e.by(reporterKey), slices.Repeat([]usage.Record{call()}, c.records))
						results <- err
					}()
				}
				synctest.Wait()
				if refused := len(results); refused != c.clients-c.fit {
					t.Errorf("%d of %d refused while the store is busy, want %d", refused, c.clients, c.clients-c.fit)
				}
				close(e.store.gate)
				synctest.Wait()
				acknowledged := 0
				for range c.clients {
					err := <-results
					if err == nil {
						acknowledged++
					} else if !manage.Is(err, manage.Busy) {
						t.Error(err)
					}
				}
				if acknowledged != c.fit || len(e.store.batches) != c.fit {
					t.Errorf("%d acknowledged, %d stored", acknowledged, len(e.store.batches))
				}
				if _, err := e.Record(t.Context(), e.by(reporterKey), []usage.Record{call()}); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			})
		})
	}
}

func TestSift_KeepsWhatRecordAccepts(t *testing.T) {
	e := newEnv(t)
	broken, pasted, last := call(), call(), call()
	broken.ID, broken.Model = "broken", ""
	pasted.ID, pasted.Job = "pasted", fakeobjects.AliceKey
	last.ID = "last"
	rejected := map[string]string{}
	kept := e.Sift([]usage.Record{call(), broken, pasted, last}, func(r *usage.Record, wrong *usage.FieldError) {
		rejected[r.ID] = wrong.Field
	})
	if len(kept) != 2 || kept[1].ID != "last" || len(rejected) != 2 || rejected["broken"] != usage.FieldModel ||
		rejected["pasted"] != usage.FieldJob {
		t.Errorf("kept %+v, rejected %v", kept, rejected)
	}
	if stored, err := e.Record(t.Context(), e.by(reporterKey), kept); stored != 2 || err != nil {
		t.Errorf("%d, %v", stored, err)
	}
}
