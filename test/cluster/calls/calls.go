// Package calls is what the caller on the cluster reports to the suite.
package calls

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Counts is what callers counted so far.
type Counts struct {
	Calls int `json:"calls"`
	// Replies by status. "none": the gateway gave no reply.
	Replies map[string]int `json:"replies"`
	// Refused are the first calls that did not get 200.
	Refused []Refusal `json:"refused"`
	// Keys are the keys that the file had, in their order.
	Keys []Seen `json:"keys"`
}

// Refusal is a call that did not get 200.
type Refusal struct {
	At    time.Time `json:"at"`
	Reply string    `json:"reply"`
}

// Seen is a key, by its checksum, and when it was first read.
type Seen struct {
	At  time.Time `json:"at"`
	Key string    `json:"key"`
}

// ID is the part of a key's checksum that names it here.
func ID(key []byte) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:4])
}

// NotOK returns how many calls did not get 200.
func (c Counts) NotOK() int { return c.Calls - c.Replies["200"] }
