package cli

import (
	"context"
	"net/url"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
	"keywright.dev/keywright/internal/cli/profile"
)

func (a *App) authCommand() *cobra.Command {
	auth := console.Group(&cobra.Command{Use: "auth", Short: "Log in, and see who you are."})
	auth.AddCommand(a.loginCommand(), a.logoutCommand(), a.whoamiCommand(), a.authStatusCommand(), a.setupGitCommand())
	return auth
}

func (a *App) loginCommand() *cobra.Command {
	var username, save string
	c := &cobra.Command{
		Use:   "login --username USERNAME [--api-key -]",
		Short: "Check a username and key.",
		Long: `Check a username and key.

Nothing is kept for later commands, unless --save is given: they take the key from
--api-key, the environment or a profile. The first profile becomes the default, so
that later commands need no --server.`,
		Example: `  keywright auth login --username alice
  keywright auth login --username alice --api-key - < key.txt
  keywright auth login --username alice --api-key - --save file < key.txt`,
		Args: console.Arguments(0, 0),
	}
	c.Flags().StringVar(&username, "username", "", "whose key it is")
	c.Flags().StringVar(&save, "save", "", "keep the key in the profile: file or keyring")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if save != "" && save != "file" && save != profile.StoreKeyring {
			return console.Usagef("--save must be file or keyring")
		}
		return a.login(c.Context(), username, save)
	}
	return c
}

func (a *App) login(ctx context.Context, username, save string) error {
	r, err := a.remote()
	if err != nil {
		return err
	}
	if username == "" {
		username = r.Username
	}
	if username == "" {
		return console.Usagef("--username is needed")
	}
	key, err := r.Key(ctx)
	if err == nil && key == "" {
		key, err = a.askKey("API key of " + username + ": ")
	}
	if err != nil {
		return err
	}
	if key == "" {
		return console.Usagef("the key is empty")
	}
	r.useKey(key, r.keyFrom)
	client, err := a.clientOf(ctx, r)
	if err != nil {
		return err
	}
	me, err := client.Login(ctx, username, key)
	if err != nil {
		return err
	}
	if save != "" {
		if err := a.saveKey(ctx, r, me.Username, key, save); err != nil {
			return err
		}
	}
	if !a.format.ForPeople() {
		return output.One(a.Stdout, 0, a.format, meView(), me)
	}
	a.Printf("Logged in as %s (role: %s, admin: %s)\n", output.Clean(me.Username), output.Clean(me.Role),
		pyBool(me.IsAdmin))
	return nil
}

// pyBool is how the texts of docs/compatibility.md write a truth value.
func pyBool(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

// saveKey keeps a key in the profile that was used, or in one that is named after the server's host.
func (a *App) saveKey(ctx context.Context, r *remote, username, key, where string) error {
	name := r.name
	for _, known := range r.config.Names() {
		if name == "" && r.config.Servers[known].URL == r.URL {
			name = known
		}
	}
	if name == "" {
		u, err := url.Parse(r.URL)
		if err != nil {
			return err
		}
		name = strings.ReplaceAll(u.Host, ":", "-")
	}
	caFile := r.CAFile
	if caFile != "" {
		var err error
		if caFile, err = filepath.Abs(caFile); err != nil {
			return err
		}
	}
	s := profile.Server{URL: r.URL, Username: username, NoVerifySSL: r.NoVerifySSL, CAFile: caFile}
	note := "Saved in profile %s of %s."
	if r.config.BecomesDefault(name) {
		note = "Saved in profile %s of %s, as the default."
	}
	var err error
	if where == profile.StoreKeyring {
		err = r.config.SaveToKeyring(ctx, name, s, key)
	} else {
		err = r.config.SaveToFile(name, s, key)
	}
	if err == nil {
		a.Notef(note, name, r.config.Path)
	}
	return err
}

func (a *App) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "logout",
		Short: "End the session on the server, if there is one.",
		Long: `End the session on the server, if there is one.

Neither the environment nor the configuration file changes: a saved key stays there.`,
		Example: `  keywright auth logout`,
		Args:    console.Arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			if err := client.Logout(c.Context()); err != nil {
				return err
			}
			a.Printf("Logged out\n")
			return nil
		},
	}
}

func meView() *output.View[*apiclient.Me] {
	return &output.View[*apiclient.Me]{
		Columns: []output.Column[*apiclient.Me]{
			{Header: "USERNAME", Value: func(m *apiclient.Me) string { return m.Username }},
			{Header: "ROLE", Value: func(m *apiclient.Me) string { return m.Role }},
			{Header: "IS ADMIN", Value: func(m *apiclient.Me) string { return pyBool(m.IsAdmin) }},
		},
		Name: func(m *apiclient.Me) string { return m.Username },
	}
}

func (a *App) whoamiCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "whoami",
		Short: "Print who the server takes you for.",
		Example: `  keywright auth whoami
  keywright auth whoami -o jsonpath={.username}`,
		Args: console.Arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			me, err := client.Me(c.Context())
			if err != nil {
				return err
			}
			if err := a.explainAnonymous(c.Context(), client, me); err != nil {
				return err
			}
			return output.One(a.Stdout, a.Width(), a.format, meView(), me)
		},
	}
}

// explainAnonymous says why the server does not know the caller.
func (a *App) explainAnonymous(ctx context.Context, client *apiclient.Client, me *apiclient.Me) error {
	if me.Username != "" {
		return nil
	}
	if client.Key == "" {
		a.Notef("No key was given: --api-key -, $%s or a profile.", envAPIKey)
		return nil
	}
	accepted, err := client.Accepted(ctx)
	switch {
	case err != nil:
		return err
	case accepted:
		a.Notef("The key works, but does not belong to a user: keywright keys self")
	default:
		a.Notef("The server does not accept this key.")
	}
	return nil
}

// loginState is a line of auth status.
type loginState struct {
	Profile  string `json:"profile"`
	Server   string `json:"server"`
	KeyFrom  string `json:"key_from"`
	Username string `json:"username"`
	Role     string `json:"role"`
	// State is ok, or what is wrong.
	State string `json:"state"`
}

const (
	stateOK      = "ok"
	stateNoKey   = "no key"
	stateRefused = "the key is refused"
)

func (a *App) authStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Print for each profile where its key comes from, whose it is, and whether it works.",
		Long: `Print for each profile where its key comes from, whose it is, and whether it works.

With --server, that one alone. Exit code 1 if a key does not work.`,
		Example: `  keywright auth status
  keywright auth status --server prod`,
		Args: console.Arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error { return a.authStatus(c.Context()) },
	}
}

func (a *App) authStatus(ctx context.Context) error {
	servers, err := a.statusServers()
	if err != nil {
		return err
	}
	states := make([]loginState, len(servers))
	var all sync.WaitGroup
	for i, r := range servers {
		// A command for a key may ask on the terminal, so keys are read one after the other.
		client, err := a.clientOf(ctx, r)
		states[i] = loginState{Profile: r.name, Server: r.URL, KeyFrom: r.keyFrom}
		if err != nil {
			states[i].State = err.Error()
			continue
		}
		all.Go(func() { states[i].fill(ctx, client) })
	}
	all.Wait()
	p := output.NewList(a.Stdout, a.Width(), a.format, statusView())
	broken := false
	for i := range states {
		if err := p.Print(&states[i]); err != nil {
			return err
		}
		broken = broken || states[i].State != stateOK && states[i].State != stateNoKey
	}
	if err := p.Close(); err != nil {
		return err
	}
	if broken {
		return console.ErrReported
	}
	return nil
}

// statusServers returns the server that is named, or all profiles.
func (a *App) statusServers() ([]*remote, error) {
	config, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	if a.flags.server != "" || a.Getenv(envServer) != "" || len(config.Servers) == 0 {
		r, err := a.remote()
		return []*remote{r}, err
	}
	var all []*remote
	for _, name := range config.Names() {
		r := &remote{Server: config.Servers[name], name: name, config: config}
		r.keyFrom = r.KeySource()
		all = append(all, r)
	}
	return all, nil
}

func (s *loginState) fill(ctx context.Context, client *apiclient.Client) {
	me, err := client.Me(ctx)
	accepted := err == nil && me.Username != ""
	if err == nil && !accepted && client.Key != "" {
		accepted, err = client.Accepted(ctx)
	}
	switch {
	case err != nil:
		s.State = err.Error()
	case client.Key == "":
		s.State = stateNoKey
	case !accepted:
		s.State = stateRefused
	default:
		s.State, s.Username = stateOK, me.Username
	}
	if s.Username != "" {
		s.Role = me.Role
	}
}

func statusView() *output.View[*loginState] {
	return &output.View[*loginState]{
		Columns: []output.Column[*loginState]{
			{Header: "PROFILE", Value: func(s *loginState) string { return s.Profile }},
			{Header: "SERVER", Value: func(s *loginState) string { return s.Server }},
			{Header: "KEY FROM", Value: func(s *loginState) string { return s.KeyFrom }},
			{Header: "USERNAME", Value: func(s *loginState) string { return s.Username }},
			{Header: "ROLE", Value: func(s *loginState) string { return s.Role }},
			{Header: "STATE", Value: func(s *loginState) string { return s.State }},
		},
		Name: func(s *loginState) string { return s.Profile },
	}
}
