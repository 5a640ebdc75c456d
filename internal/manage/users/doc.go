// Package users lists, creates, promotes, demotes, rotates and deletes users. It authorizes each operation,
// keeps the last admin, and writes the audit trail. It is independent of protocols: a surface reads the input
// and writes the reply.
//
// A user is an AdminUser of either role, or a seen user. The caller with the bootstrap key is not a user.
package users
