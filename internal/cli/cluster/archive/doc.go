// Package archive is the file that kubectl keywright backup writes and restore reads: a List of manifests, which
// kubectl takes as well, with a head that shows whether the file is whole and where it is from.
package archive
