// Package httpapi owns what the management APIs over HTTP have in common. Each API is a package below it.
package httpapi
