package database

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// perStatement is how many rows or values go into one statement. SQLite compares each parameter with all before
// it, so small batches are several times as fast as large ones.
const perStatement = 50

// text replaces what PostgreSQL cannot store: NUL and invalid UTF-8.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, string(utf8.RuneError)), "\x00", string(utf8.RuneError))
}

func instant(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// list returns ($1, $2, …) for n values.
func list(n int) string { return rows(1, n) }

// rows returns ($1, $2), ($3, $4), … for n rows of some columns.
func rows(n, columns int) string {
	var b strings.Builder
	for i := range n * columns {
		switch {
		case i == 0:
			b.WriteString("($")
		case i%columns == 0:
			b.WriteString("), ($")
		default:
			b.WriteString(", $")
		}
		b.WriteString(strconv.Itoa(i + 1))
	}
	b.WriteByte(')')
	return b.String()
}

// parameters returns the values for rows.
func parameters[T any](of []T, columns func(T) []any) []any {
	var all []any
	for _, one := range of {
		all = append(all, columns(one)...)
	}
	return all
}

// inBatches calls do with a few at a time, until one call fails.
func inBatches[T any](of []T, do func([]T) error) error {
	for batch := range slices.Chunk(of, perStatement) {
		if err := do(batch); err != nil {
			return err
		}
	}
	return nil
}

// where builds a WHERE clause. Comparisons are constants; values become parameters.
type where struct {
	conditions []string
	parameters []any
}

func (w *where) equal(column, value string) {
	if value != "" {
		w.add(column+" =", text(value))
	}
}

func (w *where) instant(comparison string, at time.Time) {
	if !at.IsZero() {
		w.add(comparison, at.UnixMicro())
	}
}

func (w *where) add(comparison string, value any) {
	w.parameters = append(w.parameters, value)
	w.conditions = append(w.conditions, fmt.Sprintf("%s $%d", comparison, len(w.parameters)))
}

func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}
