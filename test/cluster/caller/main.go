// Command caller is the workload of the suite on a cluster. As `caller call` it calls an app all the while and counts
// the replies; it reads its key from a mounted Secret before each call. As `caller app` it is that app.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		log.Fatal("caller: ", err)
	}
}

func run(args []string) error {
	set := flag.NewFlagSet("caller", flag.ContinueOnError)
	listen := set.String("listen", ":8080", "address of the app, or of the counts")
	url := set.String("url", "", "what to call")
	keyFile := set.String("key-file", "", "file with the key")
	every := set.Duration("every", 10*time.Millisecond, "time between two calls")
	if err := set.Parse(args[min(1, len(args)):]); err != nil {
		return err
	}
	switch {
	case len(args) > 0 && args[0] == "app":
		return serve(*listen, http.HandlerFunc(app))
	case len(args) > 0 && args[0] == "call" && cmp.Or(*url, *keyFile) != "":
		c := newCounter(*url, *keyFile)
		go c.callEvery(*every)
		return serve(*listen, c)
	}
	return errors.New("usage: caller app|call [flags]")
}

func serve(address string, handler http.Handler) error {
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: time.Minute}
	return server.ListenAndServe()
}

// app answers with the caller that the gateway reports, and refuses a request that no gateway has checked.
func app(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Auth-Subject") == "" {
		http.Error(w, "no gateway in front", http.StatusTeapot)
		return
	}
	fmt.Fprintln(w, r.Header.Get("X-Auth-Subject"))
}
