// Package reverseproxy stands in front of one app. What package gate lets pass it hands on as the client sent it, with
// word of who the caller is; it takes away what was for Keywright alone, and what would have the app read another
// request than the one that was decided on. A request that stays open is ended when its caller would be refused.
package reverseproxy
