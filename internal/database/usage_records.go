package database

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"keywright.dev/keywright/internal/manage/usage"
)

// recordsPerPage is how many records one operation reads.
const recordsPerPage = 500

// storedRecord is a record with what identifies its row, and the roles that the key named then.
type storedRecord struct {
	usageRow
	roles []string
}

// recordSelect selects the columns that readStored reads.
const recordSelect = "SELECT r.number, r.id, r.at, r.received_at, r.job, r.series, r.input, r.output, r.cache_read," +
	" r.cache_write, r.reasoning, r.cost, r.price, r.duration_ms, r.prompt_chars, r.response_chars, r.service_tier," +
	" r.tags, s.provider, s.model, s.call_type, s.status, s.key_uid, s.key_name, s.owner, s.namespace, s.roles" +
	" FROM usage_records r JOIN usage_series s ON s.id = r.series"

func readStored(from row) (stored storedRecord, err error) {
	var at, receivedAt int64
	var tags, roles string
	r := &usage.Record{}
	stored.Record = r
	if err := from.Scan(
		&stored.number, &r.ID, &at, &receivedAt, &r.Job, &stored.series, &r.Input, &r.Output, &r.CacheRead,
		&r.CacheWrite, &r.Reasoning, &r.Cost, &r.Price, &r.DurationMS, &r.PromptChars, &r.ResponseChars, &r.ServiceTier,
		&tags, &r.Provider, &r.Model, &r.CallType, &r.Status, &r.Reporter.KeyUID, &r.Reporter.Key, &r.Reporter.Subject,
		&r.Reporter.Namespace, &roles,
	); err != nil {
		return stored, err
	}
	r.At, r.ReceivedAt = instant(at), instant(receivedAt)
	if r.Tags, err = readTexts(tags); err != nil {
		return stored, err
	}
	stored.roles, err = readTexts(roles)
	return stored, err
}

// Job reads in pages: a large job must not take longer than an operation may.
func (s usageStore) Job(ctx context.Context, job string, limit int) ([]usage.Record, error) {
	var w where
	w.add("r.job =", text(job))
	// The index on jobs leaves out the empty one.
	w.conditions = append(w.conditions, "r.job <> ''")
	all := []usage.Record{}
	err := s.eachPage(ctx, w, spanOf(time.Time{}, time.Time{}), func(page []storedRecord) error {
		for _, one := range page {
			if len(all) == limit {
				return errEnough
			}
			all = append(all, *one.Record)
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return all, err
}

// errEnough ends a reading before all is read.
var errEnough = errors.New("enough records")

func (s usageStore) Oldest(ctx context.Context) (time.Time, error) {
	oldest, err := query(ctx, s.DB, "find the oldest record of token usage", readMaybeInt,
		"SELECT min(received_at) FROM usage_records")
	if err != nil || oldest[0] == nil {
		return time.Time{}, err
	}
	return instant(*oldest[0]), nil
}

func (s usageStore) Each(ctx context.Context, q usage.Query, yield func(*usage.Record) error) error {
	w := selection(&q)
	return s.eachPage(ctx, w, spanOf(q.Since, q.Until), func(page []storedRecord) error {
		for _, one := range page {
			if err := yield(one.Record); err != nil {
				return err
			}
		}
		return nil
	})
}

// eachPage calls do with the records that match, the oldest first.
func (s usageStore) eachPage(ctx context.Context, w where, within span, do func([]storedRecord) error) error {
	at, number := within.from, int64(math.MinInt64)
	for {
		page, err := s.page(ctx, w, at, number, within.until)
		if err != nil || len(page) == 0 {
			return err
		}
		if err := do(page); err != nil {
			return err
		}
		last := page[len(page)-1]
		at, number = last.At.UnixMicro(), last.number
	}
}

// page returns some records after an instant and a number.
func (s usageStore) page(ctx context.Context, w where, at, number, until int64) ([]storedRecord, error) {
	w.add("r.at <", until)
	n := len(w.parameters)
	w.parameters = append(w.parameters, at, number)
	w.conditions = append(w.conditions, fmt.Sprintf("(r.at, r.number) > ($%d, $%d)", n+1, n+2))
	return query(ctx, s.DB, "read token usage", readStored, recordSelect+w.String()+
		fmt.Sprintf(" ORDER BY r.at, r.number LIMIT %d", recordsPerPage), w.parameters...)
}
