package database

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"

	"keywright.dev/keywright/internal/manage/audit"
)

type auditStore struct{ *DB }

var _ audit.Store = auditStore{}

func (s auditStore) Append(ctx context.Context, entries []audit.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	// Marks are assigned before the first try, so that a retry has the same ones.
	var rows [][]any
	for i := range entries {
		rows = append(rows, columnsOf(&entries[i]))
	}
	return s.transact(ctx, "write to the audit trail", func(ctx context.Context, transaction *sql.Tx) error {
		return inBatches(rows, func(batch [][]any) error { return appendTo(ctx, transaction, batch) })
	})
}

const auditColumns = "mark, at, count, actor, key_id, came_from, action, target, outcome, detail, reason"

func columnsOf(e *audit.Entry) []any {
	columns := []any{cmp.Or(e.Mark, rand.Text()), e.At.UnixMicro(), max(e.Count, 1)}
	for _, name := range []string{
		e.Actor, e.KeyID, e.From, e.Action, e.Target, e.Outcome, e.Detail, e.Reason,
		audit.Fold(e.Actor), audit.Fold(e.Target),
	} {
		columns = append(columns, text(name))
	}
	return columns
}

func appendTo(ctx context.Context, transaction *sql.Tx, batch [][]any) error {
	values := parameters(batch, func(columns []any) []any { return columns })
	//nolint:gosec // only parameter names are concatenated
	statement := "INSERT INTO audit (" + auditColumns + ", actor_folded, target_folded) VALUES " +
		rows(len(batch), len(batch[0])) + " ON CONFLICT (mark) DO NOTHING"
	_, err := transaction.ExecContext(ctx, statement, values...)
	return err
}

func (s auditStore) List(ctx context.Context, f audit.Filter) ([]audit.Entry, error) {
	var w where
	w.equal("actor_folded", audit.Fold(f.Actor))
	w.equal("action", f.Action)
	w.equal("target_folded", audit.Fold(f.Target))
	w.equal("outcome", f.Outcome)
	w.equal("came_from", f.From)
	w.instant("at >=", f.Since)
	w.instant("at <", f.Until)
	if f.Before > 0 {
		w.add("id <", f.Before)
	}
	conditions := w.String()
	w.parameters = append(w.parameters, f.Size())
	statement := "SELECT id, " + auditColumns + " FROM audit" +
		conditions + fmt.Sprintf(" ORDER BY id DESC LIMIT $%d", len(w.parameters))
	return query(ctx, s.DB, "read the audit trail", readEntry, statement, w.parameters...)
}

func readEntry(from row) (e audit.Entry, err error) {
	var at int64
	err = from.Scan(
		&e.ID, &e.Mark, &at, &e.Count, &e.Actor, &e.KeyID, &e.From, &e.Action, &e.Target, &e.Outcome, &e.Detail,
		&e.Reason,
	)
	e.At = instant(at)
	return e, err
}
