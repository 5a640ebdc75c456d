// Command server is Keywright's running service: it verifies the keys of requests for gateways and apps.
package main

import "keywright.dev/keywright/internal/program"

const programName = "keywright-server"

func main() { program.Main(programName, run) }
