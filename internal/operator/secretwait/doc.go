// Package secretwait requeues a key object once the Secret whose name it waits for is free. Secrets of others are not
// in the operator's cache, so each is watched by its name, as metadata, while an object waits. A watch ends after a
// while: the waiting object is reconciled at times anyway, and asks again.
package secretwait
