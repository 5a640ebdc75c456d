// Package cli is the command line keywright: one file for each command. It reads flags and profiles, calls the server
// by package apiclient, and prints. It decides nothing itself: who may do what is the server's to say.
package cli
