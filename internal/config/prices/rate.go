package prices

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Rate is the price of one token, in whole femto-dollars (10^-15): that of a million tokens has 9 decimals. The zero
// Rate is unknown.
type Rate struct {
	femtos int64
	known  bool
}

const (
	// MaxMillion is the highest price of a million tokens, in US dollars. It is a dollar a token.
	MaxMillion = 1_000_000

	femtosPerDollar   = 1_000_000_000_000_000
	tokensPerMillion  = 1_000_000
	femtosPerMillions = femtosPerDollar / tokensPerMillion
)

// Free is the known price of 0.
var Free = Rate{known: true}

// PerMillion returns the rate of so many dollars for a million tokens, or the problem of the number: the rest of a
// sentence.
func PerMillion(dollars float64) (r Rate, problem string) {
	if r, problem = newRate(dollars, femtosPerMillions); problem != "" {
		problem += " dollars for a million tokens"
	}
	return r, problem
}

// PerToken returns the rate of so many dollars for a token, or the problem of the number.
func PerToken(dollars float64) (r Rate, problem string) {
	if r, problem = newRate(dollars, femtosPerDollar); problem != "" {
		problem += " dollars for a token"
	}
	return r, problem
}

// newRate takes the decimal number as people wrote it, which is the shortest one with this value, and rounds it once.
func newRate(dollars float64, femtos int64) (r Rate, problem string) {
	most := float64(femtosPerDollar / femtos)
	if math.IsNaN(dollars) || dollars < 0 || dollars > most {
		return r, fmt.Sprintf("is not from 0 to %.0f", most)
	}
	exact, _ := new(big.Rat).SetString(strconv.FormatFloat(dollars, 'f', -1, 64))
	exact.Mul(exact, new(big.Rat).SetInt64(femtos))
	rounded, _ := new(big.Int).SetString(exact.FloatString(0), 10)
	r = Rate{femtos: rounded.Int64(), known: true}
	if r.femtos == 0 && dollars != 0 {
		return r, fmt.Sprintf("is over 0 and under %s", strconv.FormatFloat(1/float64(femtos), 'f', -1, 64))
	}
	return r, ""
}

// Femtos returns the price of a token in femto-dollars, from 0 to 10^15. It reports false for an unknown price.
func (r Rate) Femtos() (femtos int64, known bool) { return r.femtos, r.known }

// Or returns r, or other if r is unknown.
func (r Rate) Or(other Rate) Rate {
	if r.known {
		return r
	}
	return other
}

// IsZero reports whether r is unknown. It leaves unknown rates out of documents.
func (r Rate) IsZero() bool { return !r.known }

// String returns the dollars for a million tokens, with up to 9 decimals.
func (r Rate) String() string {
	if !r.known {
		return "unknown"
	}
	text := fmt.Sprintf("%d.%09d", r.femtos/femtosPerMillions, r.femtos%femtosPerMillions)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// MarshalJSON writes the dollars for a million tokens.
//
//nolint:unparam // json.Marshaler has the error.
func (r Rate) MarshalJSON() ([]byte, error) {
	if !r.known {
		return []byte("null"), nil
	}
	return []byte(r.String()), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Rate) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*r = Rate{}
		return nil
	}
	dollars, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return fmt.Errorf("a price is not a number")
	}
	rate, problem := PerMillion(dollars)
	if problem != "" {
		return fmt.Errorf("a price %s", problem)
	}
	*r = rate
	return nil
}
