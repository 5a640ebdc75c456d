package database

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// insertion is an INSERT of many rows.
type insertion struct {
	into, on string
	// read reads a row that the statement returns. Nil: it returns none.
	read func(row) error
}

// statement takes the rows from a source.
func (i *insertion) statement(source string) string {
	return "INSERT INTO " + i.into + " " + source + " ON CONFLICT " + i.on
}

// writing is a transaction that stores token usage.
type writing struct {
	*sql.Tx
	// arrays: a statement takes an array for each column, instead of a parameter for each value. PostgreSQL can.
	arrays bool
}

// write runs statements in one transaction.
func (s usageStore) write(ctx context.Context, what string, statements func(context.Context, writing) error) error {
	_, arrays := s.dialect.(*postgresServer)
	return s.transact(ctx, what, func(ctx context.Context, transaction *sql.Tx) error {
		return statements(ctx, writing{transaction, arrays})
	})
}

// perInsert is how many rows of token usage go into one statement, and perArray how many with arrays.
const perInsert, perArray = 12, 1000

// insertAll inserts rows in their order.
func insertAll[T any](ctx context.Context, w writing, i *insertion, of []T, columns func(T) []any) error {
	if len(of) == 0 {
		return nil
	}
	if w.arrays {
		return insertArrays(ctx, w.Tx, i, of, columns)
	}
	return insertValues(ctx, w.Tx, i, of, columns)
}

// insertValues prepares the statement of a full batch, because to parse it takes longer than to execute it.
func insertValues[T any](ctx context.Context, tx *sql.Tx, i *insertion, of []T, columns func(T) []any) error {
	width := len(columns(of[0]))
	full, err := tx.PrepareContext(ctx, i.statement("VALUES "+rows(perInsert, width)))
	if err != nil {
		return err
	}
	defer func() { _ = full.Close() }()
	for batch := range slices.Chunk(of, perInsert) {
		values := parameters(batch, columns)
		var rowsOf *sql.Rows
		if len(batch) == perInsert {
			rowsOf, err = full.QueryContext(ctx, values...)
		} else {
			rowsOf, err = tx.QueryContext(ctx, i.statement("VALUES "+rows(len(batch), width)), values...)
		}
		if err := i.readAll(rowsOf, err); err != nil {
			return err
		}
	}
	return nil
}

// insertArrays passes the rows column by column. PostgreSQL plans such a statement much faster than one with a
// parameter for each value.
func insertArrays[T any](ctx context.Context, tx *sql.Tx, i *insertion, of []T, columns func(T) []any) error {
	for batch := range slices.Chunk(of, perArray) {
		table := make([][]any, 0, len(batch))
		for _, one := range batch {
			table = append(table, columns(one))
		}
		var arrays []any
		var types []string
		for column := range table[0] {
			array, name := arrayOf(table, column)
			arrays, types = append(arrays, array), append(types, fmt.Sprintf("$%d::%s[]", column+1, name))
		}
		rowsOf, err := tx.QueryContext(ctx, i.statement("SELECT * FROM unnest("+strings.Join(types, ", ")+")"), arrays...)
		if err := i.readAll(rowsOf, err); err != nil {
			return err
		}
	}
	return nil
}

// arrayOf returns a column as an array, and the type of its values. They are texts, bytes, or integers. Some integers
// may be missing.
func arrayOf(table [][]any, column int) (array any, name string) {
	switch table[0][column].(type) {
	case string:
		return valuesOf[string](table, column), "text"
	case []byte:
		return valuesOf[[]byte](table, column), "bytea"
	}
	numbers := make([]*int64, len(table))
	for n, row := range table {
		if value, given := row[column].(int64); given {
			numbers[n] = &value
		}
	}
	return numbers, "bigint"
}

func valuesOf[V any](table [][]any, column int) []V {
	all := make([]V, len(table))
	for n, row := range table {
		all[n], _ = row[column].(V)
	}
	return all
}

func (i *insertion) readAll(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	_, err = collect(rows, func(from row) (struct{}, error) {
		if i.read == nil {
			return struct{}{}, nil
		}
		return struct{}{}, i.read(from)
	})
	return err
}
