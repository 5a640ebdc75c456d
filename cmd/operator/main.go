// Command operator runs Keywright's controllers: it issues, rotates and revokes keys, and compiles the servers'
// configuration.
package main

import "keywright.dev/keywright/internal/program"

const programName = "keywright-operator"

func main() { program.Main(programName, run) }
