package database_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/usage"
)

const (
	// perBatch is the number of records that are stored at once.
	perBatch = 1000
	// leastOfBareInsert is the least ratio of the rate of records to that of bare rows.
	leastOfBareInsert = 0.5
	// mostOfBareSums is the largest ratio of a summary's time to that of bare sums, and slowestSummary bounds its 99th
	// percentile.
	mostOfBareSums, slowestSummary = 3, 200 * time.Millisecond
	// repeats is how often each is measured, in turn with its floor.
	repeats = 25
)

// batchOf returns records of 20 keys that call 5 models in a quarter of an hour, half of them in one of 50 jobs.
func batchOf(n int) (all []usage.Record) {
	for i := range perBatch {
		all = append(all, record(fmt.Sprintf("%08x-%08x", n, i*2654435761), func(r *usage.Record) {
			r.At = noon.Add(time.Duration(n) * time.Minute)
			r.ReceivedAt = r.At
			r.Model, r.Job, r.Tags = fmt.Sprint("model-", i%5), "", nil
			if i%2 == 0 {
				r.Job = fmt.Sprint("job-", n%50)
			}
			key := fmt.Sprint("key-", i/5%20)
			r.Reporter = usage.Reporter{KeyUID: "uid-" + key, Key: "team/" + key, Subject: "User/alice", Namespace: "team"}
		}))
	}
	return all
}

// BenchmarkUsage_Append compares batches of records with the insertion of as many rows into a table with the same
// columns and indexes, by statements of many rows, in the same database.
func BenchmarkUsage_Append(b *testing.B) {
	for name, url := range benchURLs(b) {
		b.Run(name, func(b *testing.B) {
			d := openForBench(b, url)
			bare := bareTable(b, d, name)
			n := 0
			for b.Loop() {
				var ours, floor []time.Duration
				for range repeats {
					n++
					batch := batchOf(n)
					floor = append(floor, elapsed(func() { mustBench(b, bare(batch)) }))
					ours = append(ours, elapsed(func() {
						if stored, err := d.Usage().Append(b.Context(), batch); len(stored) != perBatch || err != nil {
							b.Fatal(len(stored), err)
						}
					}))
				}
				ratio := percentile(floor, 50).Seconds() / percentile(ours, 50).Seconds()
				b.ReportMetric(ratio, "of-bare")
				b.ReportMetric(perBatch/percentile(ours, 50).Seconds(), "records/s")
				if ratio < leastOfBareInsert {
					b.Errorf("%.2f of bare insertion", ratio)
				}
			}
		})
	}
}

// BenchmarkUsage_Summary compares the totals of one and 7 days, the report by model and the top jobs of 30 days with
// bare sums over the same roll-ups. These stand for 10 million calls: 100 series in each quarter of an hour, and 20,000
// jobs. They are generated in the database, without the records, which a summary does not read.
func BenchmarkUsage_Summary(b *testing.B) {
	for name, url := range benchURLs(b) {
		b.Run(name, func(b *testing.B) {
			d := openForBench(b, url)
			generateRollups(b, d)
			for b.Loop() {
				var ours, floor []time.Duration
				for range repeats {
					floor = append(floor, elapsed(func() { bareSummary(b, d) }))
					ours = append(ours, elapsed(func() { summary(b, d) }))
				}
				ratio := percentile(ours, 50).Seconds() / percentile(floor, 50).Seconds()
				b.ReportMetric(ratio, "x-bare")
				b.ReportMetric(percentile(ours, 50).Seconds()*1000, "p50-ms")
				b.ReportMetric(percentile(ours, 99).Seconds()*1000, "p99-ms")
				if ratio > mostOfBareSums || percentile(ours, 99) > slowestSummary {
					b.Errorf("%.2f times bare sums, p99 %s", ratio, percentile(ours, 99))
				}
			}
		})
	}
}

func summary(b *testing.B, d *database.DB) {
	b.Helper()
	var report *usage.Report
	for i, by := range []usage.Grouping{"", "", usage.ByModel} {
		var err error
		report, err = d.Usage().Report(b.Context(), usage.Query{Since: benchDay(benchDays[i]), GroupBy: by})
		mustBench(b, err)
	}
	top, err := d.Usage().TopJobs(b.Context(), benchStart, 5)
	if err != nil || len(report.Lines) != 5 || report.Calls < 10_000_000 || len(top) != 5 {
		b.Fatal(report.Calls, len(report.Lines), len(top), err)
	}
}

func elapsed(do func()) time.Duration {
	begun := time.Now()
	do()
	return time.Since(begun)
}

func percentile(of []time.Duration, n int) time.Duration {
	return slices.Sorted(slices.Values(of))[(len(of)*n-1)/100]
}

func mustBench(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
