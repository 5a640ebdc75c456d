// Package gate decides whether a request may pass, and who its caller is. It applies packages verify, routes and access
// under the configuration in force. It handles no protocol: a surface builds the Request and writes the reply.
package gate
