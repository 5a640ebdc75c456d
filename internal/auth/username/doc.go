// Package username owns when two usernames are the same, and which of two objects that claim the same one holds it.
// Which names are valid is a rule of the CRD.
package username
