package database

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
)

// growing are the tables that grow. Those of token usage are counted by purgeUsage.
var growing = []string{
	"audit", "claims", "creations", "key_uses", "last_uses", "revoked_keys", "seen_users", "sessions",
	"usage_counters", "usage_days", "usage_jobs", "usage_records", "usage_rollups", "usage_series", "usage_tags",
}

// Table is what is known of a table.
type Table struct {
	Name string
	// Rows and Bytes, which include indexes, are as of the last measurement. They are negative before the first one.
	Rows, Bytes int64
	// Removed counts rows that were removed because they were old, or beyond the bound of the table, since the start.
	Removed map[string]int64
}

// tables has what is known of each table.
type tables struct {
	mu    sync.Mutex
	named map[string]*Table
}

func (t *tables) change(name string, change func(*Table)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.named == nil {
		t.named = map[string]*Table{}
		for _, each := range growing {
			t.named[each] = &Table{
				Name: each, Rows: -1, Bytes: -1, Removed: map[string]int64{removedOld: 0, removedExcess: 0},
			}
		}
	}
	if one := t.named[name]; one != nil {
		change(one)
	}
}

func (t *tables) removed(name, why string, n int64) {
	t.change(name, func(one *Table) { one.Removed[why] += n })
}

// Tables returns what is known of the tables that grow, sorted by name.
func (d *DB) Tables() (all []Table) {
	for _, name := range growing {
		d.tables.change(name, func(one *Table) {
			copied := *one
			copied.Removed = maps.Clone(one.Removed)
			all = append(all, copied)
		})
	}
	return slices.Clip(all)
}

func (d *DB) countRows(ctx context.Context) error {
	for _, name := range growing {
		if strings.HasPrefix(name, "usage_") {
			continue
		}
		rows, err := query(ctx, d, "count the rows of "+name, readInt, "SELECT count(*) FROM "+name)
		if err != nil {
			return err
		}
		d.tables.change(name, func(one *Table) { one.Rows = rows[0] })
	}
	return nil
}

func (d *DB) measureTables(ctx context.Context) error {
	for _, name := range growing {
		var rows int64
		d.tables.change(name, func(one *Table) { rows = one.Rows })
		size, err := query(ctx, d, "measure "+name, readInt, d.dialect.sizeOf(rows), name)
		if err != nil {
			return err
		}
		d.tables.change(name, func(one *Table) { one.Bytes = size[0] })
	}
	return nil
}
