// Package importfile reads users and keys of other systems from files: the database of Jenkins Job Insight (JJI), and
// lists of SHA-256 digests. It checks each item by itself; a bad one has an error and does not hold up the others.
package importfile
