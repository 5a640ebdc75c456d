package cli

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
)

var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

func (a *App) apiCommand() *cobra.Command {
	var text, typed []string
	var input string
	c := &cobra.Command{
		Use:   "api METHOD PATH [-f field=value]...",
		Short: "Call any endpoint of the server with the profile's key, and print the reply.",
		Long: `Call any endpoint of the server with the profile's key, and print the reply.

Fields are the query of a GET, and a JSON object otherwise. The endpoints are
described at /docs of the server.`,
		Example: `  keywright api GET /api/admin/audit -f action=user.create -f limit=5
  keywright api POST /api/admin/users -f username=carol
  keywright api GET /apiv1/permissions/catalog -o jsonpath={.data.scopes}`,
		Args: console.Arguments(2, 2),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return methods, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
	}
	c.Flags().StringArrayVarP(&text, "field", "f", nil, "a field with a string: name=value")
	c.Flags().StringArrayVarP(&typed, "typed-field", "F", nil, "a field with a JSON value: enabled=false")
	c.Flags().StringVar(&input, "input", "", "file with the body; - is stdin")
	c.RunE = func(c *cobra.Command, args []string) error {
		if a.format.Name == output.CSV || a.format.Name == output.Name {
			return console.Usagef("-o %s is not for keywright api", a.format.Name)
		}
		r, err := a.apiRequest(args[0], args[1], text, typed, input)
		if err != nil {
			return err
		}
		client, err := a.client(c.Context())
		if err != nil {
			return err
		}
		reply, err := client.Do(c.Context(), r)
		if err != nil {
			return err
		}
		return a.printReply(reply.Body)
	}
	return c
}

func (a *App) apiRequest(method, path string, text, typed []string, input string) (*apiclient.Request, error) {
	r := &apiclient.Request{Method: strings.ToUpper(method)}
	target, err := url.ParseRequestURI(path)
	switch {
	case !slices.Contains(methods, r.Method):
		return nil, console.Usagef("method %q must be one of %s", method, strings.Join(methods, ", "))
	case err != nil || !strings.HasPrefix(path, "/") || target.Host != "":
		return nil, console.Usagef("path %q must begin with / and is below the server's address", path)
	}
	r.Path, r.Query = target.EscapedPath(), target.Query()
	fields, err := parseFields(text, typed)
	if err != nil {
		return nil, err
	}
	switch {
	case input != "" && len(fields) > 0:
		return nil, console.Usagef("--input and fields exclude each other")
	case input != "":
		body, err := a.ReadFile(input)
		if err != nil {
			return nil, console.Usagef("--input: %s", err)
		}
		r.Body = body
	case r.Method == http.MethodGet:
		for name, value := range fields {
			r.Query.Set(name, asText(value))
		}
	case len(fields) > 0:
		r.Body = fields
	}
	return r, nil
}

func asText(value any) string {
	if text, isText := value.(string); isText {
		return text
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}

func parseFields(text, typed []string) (map[string]any, error) {
	fields := map[string]any{}
	add := func(field string, read func(string) (any, error)) error {
		name, value, found := strings.Cut(field, "=")
		if !found || name == "" {
			return console.Usagef("field %q must be name=value", field)
		}
		if _, twice := fields[name]; twice {
			return console.Usagef("field %s is given twice", name)
		}
		v, err := read(value)
		fields[name] = v
		return err
	}
	for _, field := range text {
		if err := add(field, func(value string) (any, error) { return value, nil }); err != nil {
			return nil, err
		}
	}
	for _, field := range typed {
		err := add(field, func(value string) (v any, err error) {
			if json.Unmarshal([]byte(value), &v) != nil {
				return nil, console.Usagef("field %q has no JSON value", field)
			}
			return v, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return fields, nil
}

// printReply prints a reply: JSON as it came unless another format is asked for.
func (a *App) printReply(body []byte) error {
	var value any
	if a.format.ForPeople() || json.Unmarshal(body, &value) != nil {
		_, err := a.Stdout.Write(body)
		return err
	}
	return output.One(a.Stdout, 0, a.format, &output.View[any]{}, value)
}
