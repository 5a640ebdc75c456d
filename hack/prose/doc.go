// Command prose checks what people read: comments of Go, shell, YAML and Make files, text in Go, and Markdown pages. It
// prints file:line of each phrase on the list in phrases.go and of each line of Go over 120 characters, and fails if
// there is one.
//
// It checks the files that git tracks or would track, below the paths it is given. Generated files are left out.
package main
