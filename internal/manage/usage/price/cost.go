package price

import (
	"math/bits"

	"keywright.dev/keywright/internal/config/prices"
	"keywright.dev/keywright/internal/manage/usage"
)

// model has the prices of a model from one day on, the most specific first: the largest prompt, and among these the
// ones with a service tier.
type model []prices.Price

// cost returns what a call costs: the sum over all classes of tokens, rounded once, half a nano-dollar up. It reports
// false if a price is unknown, and for a cost over usage.MaxMoney.
//
// Every class has the price of the most specific condition that knows it. Cached tokens cost what input costs unless
// they have a price. Reasoning costs what output costs, unless the price that holds for output has one for it.
func (m model) cost(tokens *usage.Tokens, serviceTier string) (cost usage.Money, known bool) {
	prompt := tokens.Prompt()
	find := func(class func(*prices.Price) prices.Rate) (rate prices.Rate, in *prices.Price) {
		for i := range m {
			if p := &m[i]; applies(p, prompt, serviceTier) && !class(p).IsZero() {
				return class(p), p
			}
		}
		return rate, nil
	}
	input, _ := find(func(p *prices.Price) prices.Rate { return p.Input })
	output, in := find(func(p *prices.Price) prices.Rate { return p.Output })
	read, _ := find(func(p *prices.Price) prices.Rate { return p.CacheRead })
	write, _ := find(func(p *prices.Price) prices.Rate { return p.CacheWrite })
	reasoning := output
	if in != nil {
		reasoning = in.Reasoning.Or(output)
	}
	return total([]share{
		{tokens.Input, input}, {tokens.CacheRead, read.Or(input)}, {tokens.CacheWrite, write.Or(input)},
		{tokens.Output - tokens.Reasoning, output}, {tokens.Reasoning, reasoning},
	})
}

func applies(p *prices.Price, prompt int64, serviceTier string) bool {
	return (p.Above == 0 || prompt > p.Above) && (p.ServiceTier == "" || p.ServiceTier == serviceTier)
}

// share is a count of tokens with one price.
type share struct {
	count int64
	rate  prices.Rate
}

const femtosPerNano = 1_000_000

// total works with 128 bits: a billion tokens at a dollar each are 10^24 femto-dollars. So the sum of all shares is
// under 2^64 nano-dollars.
func total(shares []share) (cost usage.Money, known bool) {
	var high, low uint64
	for _, s := range shares {
		femtos, known := s.rate.Femtos()
		switch {
		case s.count < 0 || s.count > usage.MaxTokens, s.count > 0 && !known:
			return 0, false
		}
		productHigh, productLow := bits.Mul64(uint64(s.count), uint64(femtos))
		var carry uint64
		low, carry = bits.Add64(low, productLow, 0)
		high, _ = bits.Add64(high, productHigh, carry)
	}
	low, carry := bits.Add64(low, femtosPerNano/2, 0)
	nanos, _ := bits.Div64(high+carry, low, femtosPerNano)
	if nanos > uint64(usage.MaxMoney) {
		return 0, false
	}
	return usage.Money(nanos), true
}
