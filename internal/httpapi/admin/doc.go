// Package admin serves /api: login, users and the audit trail. It reads requests and writes replies. Package
// manage/users decides who may do what with users; the handlers of login and of the audit trail decide that themselves.
//
// Errors are {"detail": "<text>"}.
package admin
