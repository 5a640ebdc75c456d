// Package claims has the pages of claim links: the one that a link leads to, which needs no caller, and the list of
// links. Pages that create a link show it with Show.
package claims
