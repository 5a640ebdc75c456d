// Package bench measures Keywright as a whole, each time against a floor measured in the same run.
package bench
