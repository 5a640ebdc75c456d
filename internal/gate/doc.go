// Package gate decides whether a request may pass, and who its caller is. It applies packages verify, routes and access
// under the configuration in force. It handles no protocol: a surface builds the Request and writes the reply.
//
// There are five ways to ask. All record the use of an accepted credential and count a verification.
//
//	call                  asked about             a refused key is   counts a decision   used by
//	Decide                a request to an app     refused            yes                 /auth, ext_authz, proxy
//	Identify              a request to Keywright  refused            yes                 /apiv1, GraphQL, introspection
//	IdentifyOrAnonymous   a request to Keywright  taken for no key   no                  /api
//	Authenticate          a key by itself         refused            no                  login, introspection
//	AuthenticateSession   a session by itself     refused            no                  logout
package gate
