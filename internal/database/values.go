package database

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// perStatement is how many rows or values go into one statement. SQLite looks through all the parameters it has met for each
// that it meets, so a few rows at a time are several times as fast as many.
const perStatement = 50

// text is what both databases can hold: PostgreSQL takes neither NUL nor what is no UTF-8.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, string(utf8.RuneError)), "\x00", string(utf8.RuneError))
}

func instant(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// list is ($1, $2, …) for n values.
func list(n int) string { return rows(1, n) }

// rows is ($1, $2), ($3, $4), … for n rows of some columns.
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

// parameters are what fills rows.
func parameters[T any](of []T, columns func(T) []any) []any {
	var all []any
	for _, one := range of {
		all = append(all, columns(one)...)
	}
	return all
}

// inBatches calls do for a few at a time, until one fails.
func inBatches[T any](of []T, do func([]T) error) error {
	for batch := range slices.Chunk(of, perStatement) {
		if err := do(batch); err != nil {
			return err
		}
	}
	return nil
}
