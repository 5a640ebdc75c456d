// Package budget owns what a budget is and when it is used up: the amounts, the periods, and what a request with a key
// that has budgets gets. It does not count: package usage stores what calls used, and its package book brings the
// counters here.
package budget
