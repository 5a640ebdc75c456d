package cli

import (
	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
)

func (a *App) configCommand() *cobra.Command {
	config := console.Group(&cobra.Command{Use: "config", Short: "See the configuration file."})
	config.AddCommand(&cobra.Command{
		Use:     "show",
		Short:   "Print the profiles. Keys are never printed.",
		Example: `  keywright config show`,
		Args:    console.Arguments(0, 0),
		RunE:    func(*cobra.Command, []string) error { return a.showConfig() },
	})
	return config
}

// shownProfile is a profile without its key.
type shownProfile struct {
	Name        string `json:"name"`
	Default     bool   `json:"default"`
	URL         string `json:"url"`
	Username    string `json:"username"`
	KeyFrom     string `json:"key_from"`
	NoVerifySSL bool   `json:"no_verify_ssl"`
	CAFile      string `json:"ca_file"`
}

func (a *App) showConfig() error {
	config, err := a.loadConfig()
	if err != nil {
		return err
	}
	mark := map[bool]string{true: "*", false: ""}
	type shown = shownProfile
	view := &output.View[*shown]{
		Columns: []output.Column[*shown]{
			{Header: "DEFAULT", Value: func(s *shown) string { return mark[s.Default] }},
			{Header: "PROFILE", Value: func(s *shown) string { return s.Name }},
			{Header: "URL", Value: func(s *shown) string { return s.URL }},
			{Header: "USERNAME", Value: func(s *shown) string { return s.Username }},
			{Header: "KEY FROM", Value: func(s *shown) string { return s.KeyFrom }},
			{Header: "VERIFIES TLS", Wide: true, Value: func(s *shown) string { return pyBool(!s.NoVerifySSL) }},
		},
		Name:  func(s *shown) string { return s.Name },
		Empty: "No profiles in " + config.Path + ".",
	}
	p := output.NewList(a.Stdout, a.Width(), a.format, view)
	for _, name := range config.Names() {
		s := config.Servers[name]
		if err := p.Print(&shown{
			Name: name, Default: name == config.Default.Server, URL: s.URL, Username: s.Username, KeyFrom: s.KeySource(),
			NoVerifySSL: s.NoVerifySSL, CAFile: s.CAFile,
		}); err != nil {
			return err
		}
	}
	return p.Close()
}
