// Package endingnamespace keeps reconcilers quiet in a namespace that is being deleted. Nothing can be created there
// any more, and no retry cures that: the objects go with the namespace.
package endingnamespace
