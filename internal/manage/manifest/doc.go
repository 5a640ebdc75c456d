// Package manifest writes APIKeys and AdminUsers as people commit them, and the kubectl command that changes one.
package manifest
