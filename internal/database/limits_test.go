package database_test

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/idempotency/creation"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/internal/manage/seenusers"
	"keywright.dev/keywright/internal/manage/usage"
)

const (
	// fewRows is the bound of each table in these tests, unless it has another.
	fewRows = 600
	days400 = 400 * 24 * time.Hour
)

// afterNoon is how long the day of noon goes on. Sums of token usage stay for whole days.
var afterNoon = usage.Day.StartOf(noon).Add(24 * time.Hour).Sub(noon)

// growing is how a table grows.
type growing struct {
	// add adds rows number from to from+n-1, each a microsecond later than the one before.
	add func(t *testing.T, d *database.DB, from, n int)
	// stays is how long a row stays after its time.
	stays time.Duration
	most  int
	// forGood is true if no age removes a row.
	forGood bool
	// first selects the first row, which stays if keepsFirst is true: the oldest rows are not those that go first.
	first      string
	keepsFirst bool
	// checkedBy is the test of a table without bounds of its own.
	checkedBy string
}

// fixed are the tables that do not grow, and why.
var fixed = map[string]string{
	"probe":             "one row",
	"schema_migrations": "one row for each version",
	"sqlite_sequence":   "one row for each table",
}

func growingTables() map[string]growing {
	firstQuarter := usage.QuarterOf(noon.Add(usage.Quarter)).UnixMicro()
	at := func(i int) time.Time { return noon.Add(time.Duration(i) * time.Microsecond) }
	return map[string]growing{
		// The first session is one of another user.
		"sessions": {
			most: fewRows, first: "SELECT username FROM sessions WHERE username = 'bob'", keepsFirst: true,
			add: func(t *testing.T, d *database.DB, from, n int) {
				t.Helper()
				for i := range n {
					one := session(1, map[bool]string{true: "bob", false: "alice"}[from+i == 0])
					binary.BigEndian.PutUint64(one.ID[:], uint64(from+i))
					one.Expires = at(from + i)
					must(t, d.Sessions().Add(t.Context(), one))
				}
			},
		},
		"last_uses": {
			stays: days400, most: fewRows, first: "SELECT uid FROM last_uses WHERE uid = 'uid-0'",
			add: func(t *testing.T, d *database.DB, from, n int) {
				t.Helper()
				var uses []lastuse.Use
				for i := range n {
					uses = append(uses, lastuse.Use{UID: fmt.Sprint("uid-", from+i), At: at(from + i)})
				}
				must(t, d.LastUses().SaveUses(t.Context(), uses))
			},
		},
		"key_uses": {
			stays: lastuse.Days * 24 * time.Hour, most: fewRows, first: "SELECT uid FROM key_uses WHERE uid = 'uid-0'",
			add: func(t *testing.T, d *database.DB, from, n int) {
				t.Helper()
				var uses []lastuse.AddressUse
				for i := range n {
					uses = append(uses, addressUse(fmt.Sprint("uid-", from+i), "192.0.2.1", at(from+i).Sub(noon)))
				}
				must(t, d.LastUses().SaveAddressUses(t.Context(), uses))
			},
		},
		"creations": {
			stays: 24 * time.Hour, most: fewRows, first: "SELECT id FROM creations WHERE id = 'uid-0'",
			add: func(t *testing.T, d *database.DB, from, n int) {
				t.Helper()
				for i := range n {
					id := fmt.Sprint("uid-", from+i)
					_, err := d.Creations().Keep(t.Context(), creation.DigestOf("User/alice", id), id, at(from+i), noon)
					must(t, err)
				}
			},
		},
		// The first seen user has returned.
		"seen_users": {
			stays: days400, most: seenusers.MaxNames,
			first: "SELECT username FROM seen_users WHERE username = 'name-0'", keepsFirst: true,
			add: func(t *testing.T, d *database.DB, from, n int) {
				t.Helper()
				var seen []seenusers.Sighting
				for i := range n {
					seen = append(seen, seenusers.Sighting{Username: fmt.Sprint("name-", from+i), At: at(from + i)})
				}
				if from == 0 {
					seen = append(seen, seenusers.Sighting{Username: "name-0", At: noon.Add(-time.Hour)})
				}
				must(t, d.SeenUsers().Save(t.Context(), seen))
			},
		},
		"revoked_keys": {
			most: fewRows, forGood: true,
			first: "SELECT key_digest FROM revoked_keys WHERE key_digest = '" + digests(3, 4)[0].String() + "'",
			add: func(t *testing.T, d *database.DB, from, n int) {
				t.Helper()
				must(t, d.RevokedKeys().Add(t.Context(), digests(from, from+n), at(from)))
			},
		},
		"usage_records": {
			stays: 48 * time.Hour, most: fewRows, first: "SELECT id FROM usage_records WHERE id = '0'", add: addUsage,
		},
		"usage_rollups": {
			stays: 72*time.Hour + afterNoon, most: fewRows, add: addUsage,
			first: fmt.Sprint("SELECT 'it' FROM usage_rollups WHERE quarter = ", firstQuarter),
		},
		"usage_tags": {
			stays: 72*time.Hour + afterNoon, most: fewRows, add: addUsage,
			first: fmt.Sprint("SELECT tag FROM usage_tags WHERE quarter = ", firstQuarter),
		},
		"usage_days": {
			stays: 72*time.Hour + afterNoon, most: fewRows,
			first: "SELECT 'it' FROM usage_days WHERE series = 0",
			add: func(t *testing.T, d *database.DB, from, n int) {
				t.Helper()
				for i := from; i < from+n; i++ {
					day := usage.Day.StartOf(noon).AddDate(0, 0, i/900).UnixMicro()
					must(t, d.Do(t.Context(),
						fmt.Sprintf("INSERT INTO usage_days VALUES (%d, %d, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)", i, day)))
				}
			},
		},
		"usage_jobs": {
			stays: 48*time.Hour + afterNoon, most: fewRows, add: addUsage,
			first: "SELECT job FROM usage_jobs WHERE job = 'job-0'",
		},
		"usage_counters": {
			stays: 62 * 24 * time.Hour, most: fewRows, first: "SELECT key_uid FROM usage_counters WHERE key_uid = 'uid-0'",
			add: func(t *testing.T, d *database.DB, from, n int) {
				t.Helper()
				for i := from; i < from+n; i++ {
					must(t, d.Do(t.Context(), fmt.Sprintf("INSERT INTO usage_counters VALUES ('uid-%d', '', 'Hour', %d, 1, 1)", i,
						at(i).UnixMicro())))
				}
			},
		},
		"usage_series": {checkedBy: "TestUsage_RemovesUnusedSeries"},
		"claims":       {checkedBy: "TestClaims_EndedOnesAreRemoved"},
		"audit": {
			stays: 48 * time.Hour, most: fewRows, first: "SELECT detail FROM audit WHERE detail = '0'",
			add: func(t *testing.T, d *database.DB, from, n int) {
				t.Helper()
				var entries []audit.Entry
				for i := range n {
					entries = append(entries, audit.Entry{At: at(from + i), Detail: fmt.Sprint(from + i)})
				}
				must(t, d.Audit().Append(t.Context(), entries))
			},
		},
	}
}

// addUsage adds records, each a quarter of an hour later than the one before, and received a microsecond later.
// Roll-ups count from the beginning of their quarter.
func addUsage(t *testing.T, d *database.DB, from, n int) {
	t.Helper()
	var records []usage.Record
	for i := from; i < from+n; i++ {
		records = append(records, usage.Record{
			ID: fmt.Sprint(i), At: noon.Add(time.Duration(i+1) * usage.Quarter), Job: fmt.Sprint("job-", i), Tags: []string{"a"},
			ReceivedAt: noon.Add(time.Duration(i) * time.Microsecond),
		})
	}
	appendUsage(t, d, n, records...)
}

// Every table that grows is bounded by age and by number. A new table needs a row here and in docs/database.md.
func TestLimits_BoundEveryTable(t *testing.T) {
	tables := growingTables()
	compareWithPage(t, slices.Sorted(maps.Keys(tables)))
	for dialect, empty := range dialects {
		t.Run(dialect, func(t *testing.T) {
			compareWithSchema(t, openWithLimits(t, empty(t)), dialect, tables)
			for name, table := range tables {
				if table.checkedBy == "" {
					t.Run(name, func(t *testing.T) { table.check(t, openWithLimits(t, empty(t)), name) })
				}
			}
		})
	}
}

// openWithLimits returns a database that does not run.
func openWithLimits(t *testing.T, url string) *database.DB {
	t.Helper()
	d, err := database.OpenPatiently(t.Context(), url, slog.New(slog.DiscardHandler))
	must(t, err, d.Err())
	t.Cleanup(func() { must(t, d.Close()) })
	d.Bound(fewRows, fewRows)
	d.LimitAudit(func() (audit.Limits, bool) { return audit.Limits{Retention: 48 * time.Hour, Most: fewRows}, true })
	d.LimitUsage(func() (usage.Limits, bool) {
		return usage.Limits{Retention: 48 * time.Hour, Most: fewRows, RollupRetention: 72 * time.Hour}, true
	})
	return d
}

func (g *growing) check(t *testing.T, d *database.DB, name string) {
	t.Helper()
	g.add(t, d, 0, 3)
	expectRows(t, d, name, 3)
	must(t, d.Purge(t.Context(), noon.Add(g.stays-time.Microsecond)))
	expectRows(t, d, name, 3)
	must(t, d.Purge(t.Context(), noon.Add(g.stays+time.Hour)))
	old := 3
	if g.forGood {
		old = 0
	}
	kept := 3 - old
	expectRows(t, d, name, kept)
	g.add(t, d, kept, 1)
	for from, upTo := kept+1, g.most+1200; from < upTo; from += 600 {
		g.add(t, d, from, min(600, upTo-from))
	}
	must(t, d.Purge(t.Context(), noon.Add(-time.Hour)))
	expectRows(t, d, name, g.most)
	first, err := d.Names(t.Context(), g.first)
	must(t, err)
	if isThere := len(first) == 1; isThere != g.keepsFirst {
		t.Errorf("the first row is there: %t", isThere)
	}
	must(t, d.Measure(t.Context()))
	for _, known := range d.Tables() {
		if known.Name == name && (known.Rows != int64(g.most) || known.Bytes < 1000 || known.Removed["old"] != int64(old) ||
			known.Removed["excess"] != 1200) {
			t.Errorf("%+v", known)
		}
	}
}

func expectRows(t *testing.T, d *database.DB, name string, want int) {
	t.Helper()
	counted, err := d.Names(t.Context(), "SELECT CAST(count(*) AS text) FROM "+name)
	must(t, err)
	if counted[0] != fmt.Sprint(want) {
		t.Errorf("%s has %s rows, want %d", name, counted[0], want)
	}
}

func compareWithSchema(t *testing.T, d *database.DB, dialect string, tables map[string]growing) {
	t.Helper()
	names, err := d.Names(t.Context(), map[string]string{
		"SQLite":     "SELECT name FROM sqlite_schema WHERE type = 'table'",
		"PostgreSQL": "SELECT CAST(tablename AS text) FROM pg_tables WHERE schemaname = current_schema()",
	}[dialect])
	must(t, err)
	measured := map[string]bool{}
	for _, one := range d.Tables() {
		measured[one.Name] = true
	}
	for _, name := range names {
		if _, grows := tables[name]; !grows && fixed[name] == "" || grows != measured[name] {
			t.Errorf("table %s: has no bound, or is not measured", name)
		}
	}
}

// compareWithPage compares the tables with those of docs/database.md.
func compareWithPage(t *testing.T, names []string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/database.md")
	must(t, err)
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		documented = append(documented, m[1])
	}
	slices.Sort(documented)
	if !slices.Equal(documented, names) {
		t.Errorf("docs/database.md has %q, the database %q", documented, names)
	}
}

// Until the server has its configuration, it may not remove what the configuration keeps.
func TestLimits_UnknownOfAudit(t *testing.T) {
	for dialect, empty := range dialects {
		t.Run(dialect, func(t *testing.T) {
			d := openWithLimits(t, empty(t))
			must(t, d.Audit().Append(t.Context(), []audit.Entry{{At: noon.AddDate(-10, 0, 0), Detail: "old"}}))
			d.LimitAudit(func() (audit.Limits, bool) { return audit.Limits{Retention: time.Hour, Most: 1}, false })
			must(t, d.Purge(t.Context(), noon))
			if got := list(t, d.Audit(), audit.Filter{}); len(got) != 1 {
				t.Error(got)
			}
			// Without a retention age removes nothing.
			d.LimitAudit(func() (audit.Limits, bool) { return audit.Limits{Most: 10}, true })
			must(t, d.Purge(t.Context(), noon))
			if got := list(t, d.Audit(), audit.Filter{}); len(got) != 1 {
				t.Error(got)
			}
			d.LimitAudit(func() (audit.Limits, bool) { return audit.Limits{Retention: time.Hour, Most: 10}, true })
			must(t, d.Purge(t.Context(), noon))
			if got := list(t, d.Audit(), audit.Filter{}); len(got) != 0 {
				t.Error(got)
			}
		})
	}
}

// Replicas that remove at the same time leave as many as one would.
func TestLimits_OfReplicas(t *testing.T) {
	url := emptyPostgres(t)
	one, other := openWithLimits(t, url), openWithLimits(t, url)
	table := growingTables()["audit"]
	for from := 0; from < 4*fewRows; from += fewRows {
		table.add(t, one, from, fewRows)
	}
	errs := make(chan error, 2)
	for _, d := range []*database.DB{one, other} {
		go func() { errs <- d.Purge(t.Context(), noon) }()
	}
	must(t, <-errs, <-errs)
	expectRows(t, one, "audit", fewRows)
}

// The size of a large table is estimated from a part of it.
func TestSQLite_EstimatesSizeOfLargeTable(t *testing.T) {
	d := openWithLimits(t, dialects["SQLite"](t))
	must(t, d.Do(t.Context(), "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)"+
		" INSERT INTO audit (mark, at, actor, key_id, came_from, action, target, outcome, detail)"+
		" SELECT 'mark-' || i, i, 'User/alice', '', '', 'users.write', '', 'done', hex(zeroblob(800)) FROM n"))
	d.LimitAudit(nil)
	must(t, d.Purge(t.Context(), noon), d.Measure(t.Context()))
	pages, err := d.Names(t.Context(), "SELECT CAST(sum(pgsize) AS text) FROM dbstat"+
		" WHERE name IN (SELECT name FROM sqlite_schema WHERE tbl_name = 'audit')")
	must(t, err)
	exact, err := strconv.ParseFloat(pages[0], 64)
	must(t, err)
	const sampled = 2000 * 4096
	for _, table := range d.Tables() {
		if ratio := float64(table.Bytes) / exact; table.Name == "audit" && (exact < 2*sampled || ratio < 0.9 || ratio > 1.1) {
			t.Errorf("%d bytes, %.0f by all pages", table.Bytes, exact)
		}
	}
}
