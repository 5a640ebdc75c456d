package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/profile"
)

// remote is a server, and how it is called.
type remote struct {
	profile.Server
	// name is the name of the profile, or "" if the server was given as a URL.
	name string
	// keyFrom says where the key comes from.
	keyFrom string
	config  *profile.Config
}

// loadConfig reads the configuration file, and warns if others can read a key in it.
func (a *App) loadConfig() (*profile.Config, error) {
	path, err := profile.Path(a.Getenv)
	if err != nil {
		return nil, err
	}
	c, err := profile.Load(path)
	if err != nil {
		return nil, console.Usagef("%s", err)
	}
	if c.Exposed {
		a.Warnf("%s holds a key, and other users can read it: chmod 600 %s", path, path)
	}
	return c, nil
}

func isURL(server string) bool { return strings.Contains(server, "://") }

// remote finds the server: flags come before the environment, and this before the profile.
func (a *App) remote() (*remote, error) {
	config, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	server := a.flags.server
	if server == "" {
		server = a.Getenv(envServer)
	}
	if server == "" {
		server = config.Default.Server
	}
	r := &remote{config: config}
	switch {
	case server == "":
		return nil, fmt.Errorf("%w: give --server, $%s, or [default] server in %s", ErrNoServer, envServer, config.Path)
	case isURL(server):
		// A profile's key must not go to another server.
		r.URL = server
	default:
		found, known := config.Servers[server]
		if !known {
			return nil, unknownProfile(config, server)
		}
		r.Server, r.name = found, server
	}
	r.keyFrom = r.KeySource()
	if r.name != "" && r.keyFrom != "none" {
		r.keyFrom = profileKey(r.name, r.keyFrom)
	}
	return r, a.override(r)
}

// profileKey says that a key comes from a profile, and where the profile has it.
func profileKey(name, source string) string { return "profile " + name + ", " + source }

func unknownProfile(config *profile.Config, name string) error {
	known := config.Path + " has no profiles"
	if names := config.Names(); len(names) > 0 {
		known = "known are " + strings.Join(names, ", ")
	}
	return console.Usagef("no profile %q: %s. A URL begins with https://", name, known)
}

// override takes what the environment and the flags say.
func (a *App) override(r *remote) error {
	if name := a.Getenv(envUsername); name != "" {
		r.Username = name
	}
	if a.flags.user != "" {
		r.Username = a.flags.user
	}
	if text := a.Getenv(envNoVerifySSL); text != "" {
		off, known := truth[strings.ToLower(text)]
		if !known {
			return console.Usagef("$%s must be true or false", envNoVerifySSL)
		}
		r.NoVerifySSL = off
	}
	if a.flags.given("no-verify-ssl") {
		r.NoVerifySSL = a.flags.noVerifySSL
	}
	if file := a.Getenv(envCAFile); file != "" {
		r.CAFile = file
	}
	if a.flags.given("ca-file") {
		r.CAFile = a.flags.caFile
	}
	if key := a.Getenv(envAPIKey); key != "" {
		r.useKey(strings.TrimSpace(key), "$"+envAPIKey)
	}
	switch key := a.flags.apiKey; {
	case key == "-":
		line, err := a.keyOnStdin("API key: ")
		if err != nil || line == "" {
			return cmp.Or(interruption(err), console.Usagef("--api-key -: there is no key on stdin"))
		}
		r.useKey(line, "stdin")
	case key != "":
		if _, interactive := console.Terminal(a.Stdin); interactive {
			a.Warnf("a key in a flag stays in the history of the shell: use --api-key - or $%s", envAPIKey)
		}
		r.useKey(key, "--api-key")
	case a.flags.given("api-key"):
		return console.Usagef("--api-key is empty")
	}
	return nil
}

var truth = map[string]bool{"1": true, "true": true, "yes": true, "0": false, "false": false, "no": false}

func (r *remote) useKey(key, from string) {
	r.APIKey, r.APIKeyCmd, r.Store, r.keyFrom = key, nil, "", from
}

// client returns a client with the key of the server.
func (a *App) client(ctx context.Context) (*apiclient.Client, error) {
	r, err := a.remote()
	if err != nil {
		return nil, err
	}
	return a.clientOf(ctx, r)
}

func (a *App) clientOf(ctx context.Context, r *remote) (*apiclient.Client, error) {
	u, err := apiclient.ParseURL(r.URL)
	if err != nil {
		return nil, console.Usagef("%s", err)
	}
	key, err := r.Key(ctx)
	if err != nil {
		return nil, err
	}
	if strings.ContainsFunc(key, func(c rune) bool { return c < '!' || c > '~' }) {
		return nil, console.Usagef("the key from %s has characters that no key has", r.keyFrom)
	}
	transport, err := a.transport(r)
	if err != nil {
		return nil, err
	}
	c := &apiclient.Client{
		URL: u, Key: key, Username: r.Username, Reason: a.flags.reason, UserAgent: "keywright/" + a.Version,
		HTTP: transport, Wait: a.wait, OnRetry: a.sayRetry,
	}
	if a.flags.curl {
		c.Before = a.printCurl(r)
	}
	return c, nil
}

func (a *App) sayRetry(status int, wait time.Duration) {
	a.Notef("The server is busy (HTTP %d). Trying once more in %s.", status, wait)
}

func (a *App) transport(r *remote) (*http.Client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	switch {
	case r.NoVerifySSL:
		t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the user asked for it
	case r.CAFile != "":
		authorities, err := readAuthorities(r.CAFile)
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig = &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{
		Timeout: a.flags.timeout, Transport: t,
		// A key is sent to the address that was given, and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// readAuthorities reads a file of certificates. They take the place of the system's.
func readAuthorities(path string) (*x509.CertPool, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, console.Usagef("--ca-file: %s", err)
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(content) {
		return nil, console.Usagef("--ca-file: %s has no certificate in PEM", path)
	}
	return authorities, nil
}

// keyOnStdin reads a key from stdin. A person at a terminal is asked for it.
func (a *App) keyOnStdin(prompt string) (string, error) {
	if _, interactive := console.Terminal(a.Stdin); interactive {
		return a.askKey(prompt)
	}
	return a.ReadLine()
}

// interruption returns an error if it is an interruption.
func interruption(err error) error {
	if errors.Is(err, console.ErrInterrupted) {
		return err
	}
	return nil
}

// askKey asks for a key without showing what is typed.
func (a *App) askKey(prompt string) (string, error) {
	key, asked, err := a.AskHidden(prompt)
	if !asked {
		return "", console.Usagef("a key is needed: --api-key -, or $%s", envAPIKey)
	}
	return key, err
}
