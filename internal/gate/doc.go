// Package gate owns the answer to every request that a surface asks about: who the caller is, by what, and whether the
// request may pass. It brings verify, routes and access together under the configuration in force, and knows no protocol:
// a surface says what was asked, and writes the answer.
package gate
