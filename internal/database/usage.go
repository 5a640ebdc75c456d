package database

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"keywright.dev/keywright/internal/manage/usage"
)

type usageStore struct{ *DB }

var _ usage.Store = usageStore{}

// Usage returns the store of token usage.
func (d *DB) Usage() usage.Store { return usageStore{d} }

// mark identifies a row by a digest, so that an index on long names stays small.
type mark [16]byte

// markOf returns the mark of some texts, in this order.
func markOf(texts ...string) (m mark) {
	var all []byte
	for _, one := range texts {
		all = binary.AppendUvarint(all, uint64(len(one)))
		all = append(all, one...)
	}
	digest := sha256.Sum256(all)
	copy(m[:], digest[:])
	return m
}

// usageRow is a record with what identifies its row.
type usageRow struct {
	*usage.Record
	mark   mark
	number int64
	series int64
}

// usageRows returns the rows of records that differ in subject and id, sorted by mark. Replicas that store the same
// records at once do so in the same order, so they do not deadlock.
func usageRows(records []usage.Record) []usageRow {
	all := make([]usageRow, 0, len(records))
	for i := range records {
		r := &records[i]
		all = append(all, usageRow{Record: r, mark: markOf(r.Reporter.Subject, cmp.Or(r.ID, rand.Text()))})
	}
	byMark := func(a, b usageRow) int { return bytes.Compare(a.mark[:], b.mark[:]) }
	slices.SortStableFunc(all, byMark)
	return slices.CompactFunc(all, func(a, b usageRow) bool { return a.mark == b.mark })
}

func (s usageStore) Append(ctx context.Context, records []usage.Record) (stored []*usage.Record, err error) {
	if len(records) == 0 {
		return nil, nil
	}
	if err := s.checkRoom("store token usage"); err != nil {
		return nil, fmt.Errorf("%w: %w", usage.ErrNoRoom, err)
	}
	// Marks are assigned before the first try, so that a retry has the same ones.
	given := usageRows(records)
	// The rows that any try added: if the connection breaks during a commit, the next one finds them stored.
	all := make(map[mark]*usage.Record, len(given))
	err = s.write(ctx, "store token usage", func(ctx context.Context, w writing) error {
		if err := findSeries(ctx, w, given); err != nil {
			return err
		}
		added, err := insertRecords(ctx, w, given)
		if err != nil {
			return err
		}
		c := newCells()
		for i := range added {
			c.addRecord(&added[i])
			all[added[i].mark] = added[i].Record
		}
		return c.save(ctx, w)
	})
	if err != nil {
		return nil, err
	}
	return slices.AppendSeq(stored, maps.Values(all)), nil
}

const recordColumns = "mark, id, at, received_at, job, series, input, output, cache_read, cache_write, reasoning," +
	" cost, price, duration_ms, prompt_chars, response_chars, service_tier, tags"

// insertRecords returns the rows that were not stored already.
func insertRecords(ctx context.Context, w writing, given []usageRow) ([]usageRow, error) {
	added := make(map[mark]bool, len(given))
	err := insertAll(ctx, w, &insertion{
		into: "usage_records (" + recordColumns + ")",
		on:   "(mark) DO NOTHING RETURNING mark",
		read: func(from row) error {
			m, err := readMark(from)
			added[m] = true
			return err
		},
	}, given, recordValues)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(given), func(r usageRow) bool { return !added[r.mark] }), nil
}

func readMark(from row) (m mark, err error) {
	var raw []byte
	err = from.Scan(&raw)
	copy(m[:], raw)
	return m, err
}

func recordValues(r usageRow) []any {
	return []any{
		r.mark[:], text(r.ID), r.At.UnixMicro(), r.ReceivedAt.UnixMicro(), text(r.Job), r.series,
		r.Input, r.Output, r.CacheRead, r.CacheWrite, r.Reasoning, nanos(r.Cost), text(r.Price), nullable(r.DurationMS),
		r.PromptChars, r.ResponseChars, text(r.ServiceTier), texts(r.Tags),
	}
}

func nullable[T any](value *T) any {
	if value == nil {
		return nil
	}
	return *value
}

func nanos(cost *usage.Money) any {
	if cost == nil {
		return nil
	}
	return int64(*cost)
}

// texts returns a list of texts as JSON, or nothing for an empty one.
func texts(all []string) string {
	if len(all) == 0 {
		return ""
	}
	storable := make([]string, 0, len(all))
	for _, one := range all {
		storable = append(storable, text(one))
	}
	encoded, _ := json.Marshal(storable)
	return string(encoded)
}

// readTexts returns the list that texts encoded.
func readTexts(encoded string) (all []string, err error) {
	if encoded != "" {
		err = json.Unmarshal([]byte(encoded), &all)
	}
	return all, err
}
