// Package keymetrics exports how many keys there are in each state, and when the next one ends or is rotated.
// The values are computed at each scrape. Events in the life of keys are counted by internal/operator/issuer.
package keymetrics
