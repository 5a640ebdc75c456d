// Package httpapi serves management over HTTP. Mount puts every surface behind one guard: it refuses
// cross-origin requests, requires the database, identifies the caller and renews the session cookie. The
// surfaces are in the packages below; each lists its routes and the form of its replies.
package httpapi
