package gateways

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/test/stack"
)

func traefik() *gateway {
	return &gateway{
		name: "Traefik", path: builtTraefik(), install: "hack/traefik/build.sh builds it, in minutes",
		url: "https://app.example.com", down: http.StatusInternalServerError,
		start: func(ctx context.Context) string {
			listen, dir := freeAddress(), GinkgoT().TempDir()
			write(dir, "dynamic/app.yaml", page.with("/etc/traefik/dynamic/app.yaml", map[string]string{
				"keywright-server.keywright-system.svc": serverAddress(),
				"app.default.svc:8080":                  behind.address(),
			}))
			write(dir, "dynamic/certificates.yaml", fmt.Sprintf(
				"tls: {certificates: [{certFile: %q, keyFile: %q}]}", certificates.certificate, certificates.key))
			config := write(dir, "traefik.yaml", fmt.Sprintf(
				"entryPoints: {websecure: {address: %q}}\nproviders: {file: {directory: %q}}\nlog: {level: WARN}\n",
				listen, filepath.Join(dir, "dynamic")))
			run(ctx, listen, builtTraefik(), "--configfile="+config)
			// Traefik listens before it has read the files.
			Eventually(ctx, func() error { return handshake(ctx, listen) }).Should(Succeed())
			return listen
		},
	}
}

// builtTraefik returns the path of the program, or "" if it has not been built.
func builtTraefik() string {
	root, err := stack.Root()
	if err != nil {
		return ""
	}
	path, err := exec.Command(filepath.Join(root, "hack", "traefik", "build.sh"), "--if-built").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(path))
}

func handshake(ctx context.Context, listen string) error {
	config := &tls.Config{RootCAs: certificates.pool, ServerName: hosts[0], MinVersion: tls.VersionTLS12}
	connection, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	return connection.Close()
}
