// Package certfiles follows the certificate and key of the server, and the authorities of client certificates, in files
// that are replaced while the server runs. It owns the TLS configuration of the listeners. Which paths need a client
// certificate is up to the handlers.
package certfiles
