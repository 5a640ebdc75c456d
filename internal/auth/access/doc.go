// Package access owns what a verified key may do: how scopes, roles and a policy add up, what denies, and how far the
// person a key speaks for limits it. Who presented a key is decided elsewhere: see verify.
//
//	a key may  = (scopes ∪ roles ∪ ALLOW of its policy) − every matching DENY
//	             and, for a user's key, never more than the user may
//
// Nothing matches = denied.
package access
