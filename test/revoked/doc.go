// Package revoked tests that a revoked key stays refused, however it was revoked and however it comes back: on an API
// server, with the operator and two servers on one database.
package revoked
