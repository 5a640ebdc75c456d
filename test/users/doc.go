// Package users tests the management of users together with the operator, which looks after the same objects at the same
// time.
package users
