// Package login begins and ends sessions: it checks a name and a key, slows down failed tries, and writes the audit
// trail. It is independent of protocols: a surface reads the input and sets the cookies. Package sessions owns the
// sessions themselves.
package login
