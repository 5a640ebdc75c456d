package chart

import (
	"math"
	"strconv"
	"strings"
)

// Unit is what the values of a chart count.
type Unit uint8

// Units.
const (
	// Count is of whole things, such as calls.
	Count Unit = iota
	// Dollars are US dollars.
	Dollars
)

// powers are the short forms of numbers on an axis.
var powers = []struct {
	of   float64
	name string
}{{1e18, "E"}, {1e15, "P"}, {1e12, "T"}, {1e9, "B"}, {1e6, "M"}, {1e3, "k"}}

// Axis returns a value on an axis whose values are a step apart: short, and different from those beside it.
func (u Unit) Axis(value, step float64) string {
	sign := ""
	if u == Dollars {
		sign = "$"
	}
	for _, power := range powers {
		if value >= power.of {
			return sign + decimal(value/power.of, decimalsOf(step/power.of)) + power.name
		}
	}
	decimals := decimalsOf(step)
	if u == Dollars && decimals > 0 {
		decimals = max(decimals, 2)
	}
	return sign + decimal(value, decimals)
}

// decimalsOf returns how many decimals distinguish values that are a step apart.
func decimalsOf(step float64) int {
	if step <= 0 || step >= 1 {
		return 0
	}
	// A step such as 0.01 may be a little less than its logarithm says.
	return min(9, int(math.Ceil(-math.Log10(step)-1e-6)))
}

// Text returns a value in full: $12.50 or 1,234.
func (u Unit) Text(value float64) string {
	value = clean(value)
	if u == Count {
		return grouped(decimal(value, 0))
	}
	whole, fraction, _ := strings.Cut(decimal(value, centsOf(value)), ".")
	return "$" + grouped(whole) + "." + fraction
}

// centsOf returns the decimals of an amount: cents, and more for less than a cent.
func centsOf(value float64) int {
	if value > 0 && value < 0.01 {
		return 9
	}
	return 2
}

func decimal(value float64, decimals int) string {
	return strconv.FormatFloat(value, 'f', decimals, 64)
}

// grouped separates thousands of a whole number.
func grouped(digits string) string {
	var b strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return b.String()
}
