// Command bare is the floor of GET /auth: an HTTP server that answers 200 to everything without reading it. It prints
// its address to stdout and runs until its stdin ends, so it does not outlive a killed benchmark.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(listener.Addr())
	go func() { _ = http.Serve(listener, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
}
