// Package lastuse owns the record of when and from where a key was used last: it takes what gate tells of, and writes it
// in the background, exactly into a Store and coarsely into the status of the key's object. No request waits for it.
package lastuse
