// Package keymetrics tells, each time metrics are asked for, how many keys there are and when the next one ends
// or is rotated. What happens to keys is counted elsewhere: see internal/meter.
package keymetrics
