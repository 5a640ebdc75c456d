// Package users tests the management of users while the operator reconciles the same objects, and that one admin always
// remains.
package users
