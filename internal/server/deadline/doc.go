// Package deadline makes the deadlines of connections cheap to set. net/http sets four for each request, most of them only
// to move one further away, and together they take longer than to verify a key.
//
// What is set is remembered, and the connection told when an operation begins that could miss it: a deadline that is
// further away than the one the connection has does not matter before that one has come. Then the operation is taken up
// again. So a deadline is kept to the moment, as that of a net.Conn is.
package deadline
