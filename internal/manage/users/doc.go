// Package users owns what can be done with users by whoever may: list, create, promote, demote, rotate and delete them. It
// decides who may, keeps the last admin, and leaves a trail of what was done. It knows no protocol: a surface reads what is
// asked, and says the answer.
//
// A user is an AdminUser, be its role admin or user, or somebody who was merely seen. Whoever has the bootstrap key is none.
package users
