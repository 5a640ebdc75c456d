package usage

import (
	"math"
	"math/big"
	"strconv"

	"keywright.dev/keywright/internal/auth/budget"
)

// Money is an amount in nano-dollars: billionths of a US dollar. Sums of it are exact.
type Money int64

// Dollar is one US dollar.
const Dollar Money = 1_000_000_000

// MaxMoney is the largest cost of one record: a million dollars.
const MaxMoney = 1_000_000 * Dollar

// FromDollars rounds a number of dollars to the nearest nano-dollar. It reports false unless the amount is from 0 to
// MaxMoney.
func FromDollars(dollars float64) (Money, bool) {
	if math.IsNaN(dollars) || dollars < 0 || dollars > float64(MaxMoney/Dollar) {
		return 0, false
	}
	return Money(math.Round(dollars * float64(Dollar))), true
}

// Dollars returns the amount in US dollars, for display.
func (m Money) Dollars() float64 { return float64(m) / float64(Dollar) }

// String returns the amount in US dollars with up to 9 decimals and no trailing zeros: 0.0125.
func (m Money) String() string { return budget.FormatDollars(int64(m)) }

// MarshalJSON writes a number of US dollars with up to 9 decimals.
//
//nolint:unparam // json.Marshaler has the error.
func (m Money) MarshalJSON() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalJSON reads what MarshalJSON writes.
func (m *Money) UnmarshalJSON(text []byte) error {
	dollars, ok := new(big.Rat).SetString(string(text))
	if !ok {
		return &strconv.NumError{Func: "Money", Num: string(text), Err: strconv.ErrSyntax}
	}
	nanos := dollars.Mul(dollars, new(big.Rat).SetInt64(int64(Dollar)))
	if !nanos.IsInt() || !nanos.Num().IsInt64() {
		return &strconv.NumError{Func: "Money", Num: string(text), Err: strconv.ErrRange}
	}
	*m = Money(nanos.Num().Int64())
	return nil
}
