// Package price decides what an AI call costs: which price holds for it, and the sum. Package config/prices has the
// prices.
package price
