// Package users tests the management of users while the operator reconciles the same objects.
package users
