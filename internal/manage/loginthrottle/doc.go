// Package loginthrottle owns how long who tries to log in has to wait after failures: it counts them by user and by address,
// apart. It is in memory and of this replica alone, and knows no protocol; who waits, and what a failure is, others say.
package loginthrottle
