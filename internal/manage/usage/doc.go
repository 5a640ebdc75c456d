// Package usage owns token usage: what AI calls cost, by whom and for what. It checks records, computes their cost,
// stores them through a Store, and reports totals. Package price has the prices.
package usage
