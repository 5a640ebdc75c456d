package usage

import (
	"encoding/json"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestMoney_IsADecimalNumberOfDollars(t *testing.T) {
	for amount, want := range map[Money]string{
		0: "0", 1: "0.000000001", Dollar: "1", 12_500_000: "0.0125", 10 * Dollar: "10", -Dollar / 2: "-0.5",
	} {
		if got, err := json.Marshal(amount); string(got) != want || err != nil {
			t.Errorf("%d: %s, %v, want %s", amount, got, err, want)
		}
	}
}

func TestMoney_ReadsWhatItWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := Money(rapid.Int64().Draw(t, "amount"))
		text, _ := json.Marshal(amount)
		var got Money
		if err := json.Unmarshal(text, &got); err != nil || got != amount {
			t.Fatalf("%s: %d, %v", text, got, err)
		}
	})
}

func TestFromDollars_RefusesWhatIsNoCost(t *testing.T) {
	for _, dollars := range []float64{-1, math.NaN(), math.Inf(1), math.Inf(-1), 1e6 + 1} {
		if got, ok := FromDollars(dollars); ok {
			t.Errorf("%v: %v", dollars, got)
		}
	}
	if got, ok := FromDollars(0.1 + 0.2); got != 300_000_000 || !ok {
		t.Errorf("%v, %v", got, ok)
	}
}
