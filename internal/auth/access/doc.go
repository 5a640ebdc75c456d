// Package access owns what a verified key may do: how scopes, roles and a policy add up, what denies, and how
// the rights of its owner limit a key. Package verify decides who presented the key.
//
//	a key may do  (scopes ∪ roles ∪ ALLOW of its policy) − every matching DENY,
//	              and never more than its owner may
//
// A request that nothing matches is denied.
package access
