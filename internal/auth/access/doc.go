// Package access owns what a verified key may do: how scopes, roles and a policy add up, what denies, and how
// the rights of its owner limit a key. Package verify decides who presented the key.
//
//	a key may do  (scopes ∪ roles ∪ ALLOW of its policy) − every matching DENY,
//	              and never more than its owner may
//
// A request that nothing matches is denied. While a role that a key names does not exist, the key may do nothing: the
// role may deny what the rest allows. A role that a user holds by a binding and that does not exist gives nothing.
package access
