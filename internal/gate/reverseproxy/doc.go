// Package reverseproxy stands in front of one app. It forwards the requests that package gate allows as the client sent
// them, with headers that describe the caller. It removes credentials, and headers that would make the app read another
// request than the one that was decided on. It rechecks an open request and ends it once its caller would be refused.
package reverseproxy
