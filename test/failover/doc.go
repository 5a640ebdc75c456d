// Package failover kills the leader of two operators in the middle of its work.
package failover
