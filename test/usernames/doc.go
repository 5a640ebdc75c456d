// Package usernames has the test of every place that compares usernames: all ignore case.
package usernames
