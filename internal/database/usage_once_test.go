package database_test

import (
	"slices"
	"testing"
	"time"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/test/postgres"
)

// Replicas that store the same records at once store each once, and do not deadlock.
func TestUsage_ReplicasAppendAtOnce(t *testing.T) {
	const replicas, rounds, each = 4, 5, 120
	records := priced(rounds * each)
	for name, empty := range dialects {
		t.Run(name, func(t *testing.T) {
			url := empty(t)
			servers := []*database.DB{openPatiently(t, url)}
			if name == "PostgreSQL" {
				servers = append(servers, openPatiently(t, url))
			}
			counts, errs := make(chan int, replicas*rounds), make(chan error, replicas*rounds)
			for n := range replicas {
				go func() {
					for round := range rounds {
						batch := slices.Clone(records[round*each : (round+1)*each])
						if n%2 == 1 {
							slices.Reverse(batch)
						}
						stored, err := servers[n%len(servers)].Usage().Append(t.Context(), batch)
						counts <- len(stored)
						errs <- err
					}
				}()
			}
			total := 0
			for range replicas * rounds {
				total += <-counts
				must(t, <-errs)
			}
			if total != len(records) {
				t.Errorf("%d records are stored, want %d", total, len(records))
			}
			expectUsage(t, servers[0], records)
		})
	}
}

// A statement takes a part of a large batch only.
func TestUsage_AppendReturnsWhatIsNew(t *testing.T) {
	const many = 1_100
	onBoth(t, func(t *testing.T, d *database.DB) {
		records := priced(3 * many)
		appendUsage(t, d, many, records[:many]...)
		added, err := d.Usage().Append(t.Context(), append(records, records[0]))
		must(t, err)
		want := map[string]bool{}
		for i := range records[many:] {
			want[records[many+i].ID] = true
		}
		for _, r := range added {
			if !want[r.ID] {
				t.Errorf("%s is not new, or is returned twice", r.ID)
			}
			delete(want, r.ID)
		}
		if len(want) > 0 {
			t.Errorf("%d new records are not returned", len(want))
		}
		expectUsage(t, d, records)
	})
}

// A record counts once if the connection breaks before or after PostgreSQL receives the end of the transaction.
func TestUsage_BrokenConnectionCountsOnce(t *testing.T) {
	line := relay(t, postgres.Start(t))
	d := openPatiently(t, line.url)
	records := priced(120)
	// The first one is first: a later transaction on its connection does not send the text of the statement again.
	for i, at := range []cut{{"INSERT INTO usage_rollups", true}, {"commit", true}, {"commit", false}} {
		batch := records[i*40 : (i+1)*40]
		line.cut.Store(&at)
		if n, err := d.Usage().Append(t.Context(), batch); len(n) != len(batch) || err != nil {
			t.Errorf("%+v: stored %d: %v", at, len(n), err)
		}
		if line.cut.Load() != nil {
			t.Fatalf("%+v: the connection did not break", at)
		}
		expectUsage(t, d, records[:(i+1)*40])
		// The client does not know, and sends them again.
		appendUsage(t, d, 0, batch...)
		expectUsage(t, d, records[:(i+1)*40])
	}
}

// A batch with a record that the database refuses stores nothing.
func TestUsage_AppendsAllOrNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		refuse := map[bool]string{
			true: "CREATE TRIGGER refuse BEFORE INSERT ON usage_counters BEGIN SELECT RAISE(ABORT, 'refused'); END",
			false: "CREATE FUNCTION refuse() RETURNS trigger AS 'BEGIN RAISE check_violation; END' LANGUAGE plpgsql;" +
				"CREATE TRIGGER refuse BEFORE INSERT ON usage_counters EXECUTE FUNCTION refuse()",
		}[database.IsSQLite(d)]
		must(t, d.Do(t.Context(), refuse))
		if n, err := d.Usage().Append(t.Context(), priced(100)); len(n) != 0 || err == nil {
			t.Errorf("%d, %v", len(n), err)
		}
		must(t, d.Err())
		for _, table := range []string{"usage_records", "usage_rollups", "usage_tags", "usage_jobs", "usage_series"} {
			expectRows(t, d, table, 0)
		}
		expectCalls(t, d, 0)
	})
}

// A database of the previous version keeps its data, and gets the tables of token usage.
func TestOpen_UpgradesPreviousVersion(t *testing.T) {
	for name, empty := range dialects {
		t.Run(name, func(t *testing.T) {
			url := empty(t)
			old, err := database.OpenOld(t.Context(), url, 4)
			must(t, err)
			addSessions(t, old.Sessions(), "alice", 1, 2)
			must(t, old.Audit().Append(t.Context(), []audit.Entry{{At: noon, Detail: "before", Reason: "why"}}),
				old.RevokedKeys().Add(t.Context(), digests(0, 3), noon), old.Close())

			d := openPatiently(t, url)
			if got := found(t, d.Sessions()); len(got) != 2 {
				t.Errorf("sessions %v", got)
			}
			if got := list(t, d.Audit(), audit.Filter{}); !slices.Equal(got, []string{"before"}) {
				t.Errorf("audit %q", got)
			}
			if got, err := d.RevokedKeys().After(t.Context(), 0); err != nil || len(got) != 3 {
				t.Errorf("revoked keys %v, %v", got, err)
			}
			records := priced(10)
			appendUsage(t, d, 10, records...)
			expectUsage(t, d, records)
		})
	}
}

// Reports are the same when the records are gone, except those by job.
func TestUsage_ReportsOutliveRecords(t *testing.T) {
	records := priced(500)
	for name, empty := range dialects {
		t.Run(name, func(t *testing.T) {
			d := openWithLimits(t, empty(t))
			d.LimitUsage(func() (usage.Limits, bool) { return usage.Limits{Retention: 24 * time.Hour}, true })
			appendUsage(t, d, len(records), records...)
			must(t, d.Purge(t.Context(), noon.Add(30*24*time.Hour)))
			expectRows(t, d, "usage_records", 0)
			for _, by := range append(usage.Groupings(), "") {
				q := usage.Query{GroupBy: by, Zone: location("Asia/Kathmandu"), Model: "large"}
				want := naive(records, &q)
				if by == usage.ByJob {
					want = naive(nil, &q)
				}
				if diff := difference(want, *reportOf(t, d, q)); diff != "" {
					t.Errorf("by %q: %s", by, diff)
				}
			}
			// Their ids are no longer known.
			appendUsage(t, d, 1, records[0])
		})
	}
}
