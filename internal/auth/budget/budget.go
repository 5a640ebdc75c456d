package budget

import (
	"fmt"
	"strconv"
	"strings"
)

// Unit is what an amount counts.
type Unit uint8

// Units of amounts.
const (
	// NanoDollars are billionths of a US dollar.
	NanoDollars Unit = iota
	// Tokens are input, output and cached tokens together.
	Tokens
)

// Budget limits what is used in each period. It is used up once Amount is reached.
type Budget struct {
	Name   string
	Unit   Unit
	Amount int64
	Period Period
	// Warns is true if requests are accepted and reported once the budget is used up, and false if they are refused.
	Warns bool
}

// decimals is the number of decimals of an amount in dollars.
const decimals = 9

// ParseDollars reads an amount such as 12.50 as nano-dollars. It reports false unless the amount has digits only,
// at most 9 before the point and 9 after it.
func ParseDollars(text string) (nanos int64, ok bool) {
	whole, fraction, hasPoint := strings.Cut(text, ".")
	if len(whole) > decimals || len(fraction) > decimals || hasPoint && fraction == "" || !isDigits(whole+fraction) ||
		whole == "" {
		return 0, false
	}
	nanos, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", decimals-len(fraction)), 10, 64)
	return nanos, err == nil
}

// FormatDollars returns nano-dollars as dollars with up to 9 decimals, without zeros at the end: 12.5.
func FormatDollars(nanos int64) string {
	sign, whole, fraction := "", nanos/1e9, nanos%1e9
	if nanos < 0 {
		sign, whole, fraction = "-", -whole, -fraction
	}
	digits := strings.TrimRight(fmt.Sprintf("%09d", fraction), "0")
	return strings.TrimSuffix(sign+strconv.FormatInt(whole, 10)+"."+digits, ".")
}

// Limit returns the amount and the period, such as 12.5 USD per day. Budgets that allow the same have the same limit,
// however their amounts are written.
func (b *Budget) Limit() string {
	amount := FormatDollars(b.Amount) + " USD"
	if b.Unit == Tokens {
		amount = strconv.FormatInt(b.Amount, 10) + " tokens"
	}
	return amount + " per " + strings.ToLower(string(b.Period))
}

func isDigits(text string) bool { return strings.Trim(text, "0123456789") == "" }
