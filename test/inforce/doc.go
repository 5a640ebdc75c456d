// Package inforce asks the gate right after each reply of management, while no operator runs: what a reply gives or
// takes away is in force at the server that sent it.
package inforce
