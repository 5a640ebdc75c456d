package gate

import "net/http"

// Asked is a request that somebody asks about.
type Asked struct {
	// Method as the client sent it. Empty: the gateway did not tell, and it counts as a write.
	Method string
	// Host as the client sent it.
	Host string
	// Target is path and query as the client sent them. Empty: the gateway did not tell, and no route can be found.
	Target string
	// Contradictory: what was told of the request can't all be so.
	Contradictory bool
	// Header has the credentials, Authorization, X-Api-Key, Cookie and X-Forwarded-User, under their canonical names, and
	// OverrideHeaders. It may have any others.
	Header http.Header
	// RemoteAddr is the client's address, for the record, with or without a port. May be empty.
	RemoteAddr string
	// IsForwarded says that RemoteAddr is the gateway's, and that the gateway tells the client's in X-Forwarded-For.
	IsForwarded bool
}
