// Package pagekit serves groups of pages on objects in memory, and reads the HTML of their replies.
package pagekit
