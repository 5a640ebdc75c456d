// Package sessions owns who is logged in: what a session cookie stands for, how long, and what ends it. A session is the
// key it was begun with and no more; what that key is worth now, and whether it carries a session at all, is for gate to
// say. Where sessions are kept is a Store's business.
package sessions
