package database

import (
	"fmt"
	"net"
	"testing"
)

// The host of a database is part of its URL, which no message repeats.
func TestReason_SaysThatANameIsNotResolvedWithoutTheHost(t *testing.T) {
	err := fmt.Errorf("connect: %w", &net.DNSError{Err: "no such host", Name: "db.example.com"})
	if got := (&postgresServer{}).reason(err); got != "DNS: no such host" {
		t.Error(got)
	}
}
