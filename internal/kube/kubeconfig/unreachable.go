package kubeconfig

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
)

// Unreachable says of a request that got no answer where the API server was looked for and what came in between. An
// error of another kind, such as the API server's own, it returns as it is.
func Unreachable(err error) error {
	var request *url.Error
	if !errors.As(err, &request) {
		return err
	}
	address := request.URL
	if parsed, parseErr := url.Parse(request.URL); parseErr == nil {
		address = parsed.Scheme + "://" + parsed.Host
	}
	return fmt.Errorf("can't reach the API server at %s: %w", address, cause(request.Err))
}

// cause leaves out which call to the kernel it was: the address is said already.
func cause(err error) error {
	var operation *net.OpError
	if errors.As(err, &operation) {
		err = operation.Err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		err = call.Err
	}
	return err
}
