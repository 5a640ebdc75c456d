// Package loginthrottle delays logins after failures, and refuses further wrong ones for a while. It counts failures
// by user and by address, separately, in the memory of one replica. The caller waits, and decides what counts as a
// failure.
package loginthrottle
