package database_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/test/postgres"
)

// benchURLs are the URLs of empty databases.
func benchURLs(b *testing.B) map[string]string {
	b.Helper()
	all := map[string]string{"SQLite": filepath.Join(b.TempDir(), "keywright.db")}
	if postgres.Installed() == "" {
		b.Log(postgres.Missing)
		return all
	}
	server, err := shared()
	mustBench(b, err)
	all["PostgreSQL"], err = server.Database(b.Context())
	mustBench(b, err)
	return all
}

func openForBench(b *testing.B, url string) *database.DB {
	b.Helper()
	d, err := database.OpenPatiently(b.Context(), url, slog.New(slog.DiscardHandler))
	mustBench(b, err)
	b.Cleanup(func() { _ = d.Close() })
	return d
}

// bareTable makes a table like usage_records, and returns what inserts rows into it.
func bareTable(b *testing.B, d *database.DB, dialect string) func([]usage.Record) error {
	b.Helper()
	mustBench(b, d.Do(b.Context(), map[string]string{
		"PostgreSQL": "CREATE TABLE bare (LIKE usage_records INCLUDING ALL)",
		"SQLite": "CREATE TABLE bare (number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, mark BLOB NOT NULL UNIQUE," +
			"id TEXT NOT NULL, at INTEGER NOT NULL, received_at INTEGER NOT NULL, job TEXT NOT NULL," +
			"series INTEGER NOT NULL, input INTEGER NOT NULL, output INTEGER NOT NULL, cache_read INTEGER NOT NULL," +
			"cache_write INTEGER NOT NULL, reasoning INTEGER NOT NULL, cost INTEGER, price TEXT NOT NULL," +
			"duration_ms INTEGER, prompt_chars INTEGER NOT NULL, response_chars INTEGER NOT NULL," +
			"service_tier TEXT NOT NULL, tags TEXT NOT NULL) STRICT;" +
			"CREATE INDEX bare_at ON bare (at); CREATE INDEX bare_received_at ON bare (received_at);" +
			"CREATE INDEX bare_job ON bare (job, at) WHERE job <> '';",
	}[dialect]))
	return func(records []usage.Record) error { return insertBare(b, d, records, perBareInsert[dialect]) }
}

// perBareInsert are the numbers of rows of a statement that are the fastest.
var perBareInsert = map[string]int{"SQLite": 4, "PostgreSQL": 50}

func insertBare(b *testing.B, d *database.DB, records []usage.Record, rows int) error {
	b.Helper()
	tx, err := d.Pool().BeginTx(b.Context(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	const columns = 18
	var one []string
	for row := range rows {
		var values []string
		for column := range columns {
			values = append(values, fmt.Sprint("$", row*columns+column+1))
		}
		one = append(one, "("+strings.Join(values, ", ")+")")
	}
	statement, err := tx.PrepareContext(b.Context(), "INSERT INTO bare (mark, id, at, received_at, job, series, input,"+
		" output, cache_read, cache_write, reasoning, cost, price, duration_ms, prompt_chars, response_chars, service_tier,"+
		" tags) VALUES "+strings.Join(one, ", "))
	if err != nil {
		return err
	}
	defer func() { _ = statement.Close() }()
	for batch := range slices.Chunk(records, rows) {
		var values []any
		for i := range batch {
			r := &batch[i]
			digest := database.MarkOf(r.Reporter.Subject, r.ID)
			values = append(values, digest[:], r.ID, r.At.UnixMicro(), r.ReceivedAt.UnixMicro(), r.Job, i%100, r.Input,
				r.Output, r.CacheRead, r.CacheWrite, r.Reasoning, int64(*r.Cost), r.Price, *r.DurationMS, r.PromptChars,
				r.ResponseChars, r.ServiceTier, "")
		}
		if _, err := statement.ExecContext(b.Context(), values...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// benchStart is when the generated roll-ups begin, and benchDays are those of a summary: the last one is its today.
var benchStart, benchDays = usage.Day.StartOf(noon.Add(24 * time.Hour)), [...]int{29, 23, 0}

// benchDay is the beginning of one of the days.
func benchDay(n int) time.Time { return benchStart.Add(time.Duration(n) * 24 * time.Hour) }

// generateRollups generates the roll-ups of 30 days, for the series of one batch. One in five jobs runs on two days.
func generateRollups(b *testing.B, d *database.DB) {
	b.Helper()
	_, err := d.Usage().Append(b.Context(), batchOf(0))
	mustBench(b, err)
	const sums = "35, 1, 34, 100000 + i, 20000 + i, 50000, 3000, 1000, 123456789 + i, 70000 FROM "
	count := func(n int) string {
		return fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d) ", n-1)
	}
	quarter := fmt.Sprintf("%d + CAST(%d AS BIGINT) * ", benchStart.UnixMicro(), usage.Quarter.Microseconds())
	mustBench(b, d.Do(b.Context(),
		count(30*96)+"INSERT INTO usage_rollups SELECT id, "+quarter+"i, "+sums+"usage_series, n"))
	day := fmt.Sprintf("%d + CAST(%d AS BIGINT) * ", benchStart.UnixMicro(), 24*time.Hour.Microseconds())
	mustBench(b, d.Do(b.Context(), "INSERT INTO usage_days SELECT series, "+day+
		fmt.Sprintf("((quarter - %d) / %d), ", benchStart.UnixMicro(), 24*time.Hour.Microseconds())+allSums+
		fmt.Sprintf(" FROM usage_rollups WHERE quarter >= %d GROUP BY 1, 2", benchStart.UnixMicro())))
	mustBench(b, d.Do(b.Context(), count(24_000)+"INSERT INTO usage_jobs SELECT 'job-' || (i % 20000), "+day+
		"((i % 20000 + i / 20000) % 30), "+sums+"n"))
}

const allSums = "sum(calls), sum(unpriced), sum(timed), sum(input), sum(output), sum(cache_read), sum(cache_write)," +
	" sum(reasoning), sum(cost), sum(duration_ms)"

// bareSummary reads the same sums as a summary, from the same tables, by a statement for each of its parts.
func bareSummary(b *testing.B, d *database.DB) {
	b.Helper()
	const total = "SELECT " + allSums + " FROM usage_days WHERE day >= $1"
	for _, part := range []struct {
		statement string
		day, want int
	}{
		{total, benchDays[0], 1},
		{total, benchDays[1], 1},
		{"SELECT provider, model, " + allSums + " FROM usage_series s JOIN usage_days r ON r.series = s.id" +
			" WHERE day >= $1 GROUP BY provider, model ORDER BY sum(cost) DESC", benchDays[2], 5},
		{"SELECT job, " + allSums + " FROM usage_jobs WHERE day >= $1 GROUP BY job ORDER BY sum(cost) DESC LIMIT 5",
			benchDays[2], 5},
	} {
		rows, err := d.Pool().QueryContext(b.Context(), part.statement, benchDay(part.day).UnixMicro())
		mustBench(b, err)
		n := 0
		for rows.Next() {
			n++
		}
		if rows.Err() != nil || n != part.want {
			b.Fatal(n, rows.Err())
		}
		mustBench(b, rows.Close())
	}
}
