// Package users has the pages about users: the list, and the page of each user with what can be changed.
package users
