// Package lastuse owns the record of when and from where each key was last used, and from which addresses on which day.
// It takes uses from the gate and writes them in the background: exactly into a Store, coarsely into the status of the
// key object. No request waits for it.
package lastuse
