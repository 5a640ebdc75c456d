// Package spreadsheet owns what makes CSV safe to open in a spreadsheet.
package spreadsheet

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// formulas are the characters that begin a formula, those of full width included, and those that a spreadsheet skips
// before one.
const formulas = "=+-@\t\r\n＝＋－＠"

// Safe returns a row in which cells that a spreadsheet would run as a formula begin with an apostrophe, which it takes
// as "text".
func Safe(row []string) []string {
	safe := slices.Clone(row)
	for i, cell := range safe {
		if first, _ := utf8.DecodeRuneInString(cell); cell != "" && strings.ContainsRune(formulas, first) {
			safe[i] = "'" + cell
		}
	}
	return safe
}
