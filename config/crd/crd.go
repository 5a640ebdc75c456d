// Package crd has the CustomResourceDefinitions as a program of this version knows them.
package crd

import "embed"

// Bases has the files of folder bases, one for each kind.
//
//go:embed bases/*.yaml
var Bases embed.FS
