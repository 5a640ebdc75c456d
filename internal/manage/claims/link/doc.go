// Package link owns the record of a claim link, its token, and the contract of the store of links. It decides nothing:
// package claims has the use cases.
package link
