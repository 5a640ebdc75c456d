// Package privilege compares what RBAC grants a program with what the program asked for.
//
// It owns no expectation about who may do what: the rules are read from the API server, the requests from its audit log.
package privilege
