// Package graphql serves /graphql: tokens of accounts, users and integrations (docs/compatibility.md,
// "GraphQL"). It reads queries and bounds their size; package apikeys decides what is done and who may do it.
//
// No reply and no log entry repeats a value of a request: it may be a key or a policy.
package graphql
