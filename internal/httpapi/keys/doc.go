// Package keys is /apiv1: API keys of users, accounts and integrations over HTTP, as COMPAT D gives it. What can be
// done, and by whom, is for package apikeys; here a request is read, and the answer is said.
package keys
