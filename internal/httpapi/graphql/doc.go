// Package graphql is /graphql: the tokens of accounts, users and integrations, as COMPAT E has them. It reads what is
// asked, sees that it is no more than is bounded, and says what package apikeys answers. Who may, and what becomes of a
// key, is decided there.
//
// Nothing it tells or logs repeats a value of a request: it may be a key or a policy.
package graphql
