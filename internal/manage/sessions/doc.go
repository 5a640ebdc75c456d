// Package sessions owns logins: what a session cookie stands for, how long it lasts, and what ends it. A
// session refers to the key that began it and carries no rights; gate decides what that key may do now and
// whether it may hold a session. A Store holds the sessions.
package sessions
