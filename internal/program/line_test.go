package program_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/program"
)

func TestLineOr(t *testing.T) {
	const variable = "KEYWRIGHT_TEST_LINE"
	for what, c := range map[string]struct{ value, env, want, problem string }{
		"nothing":                 {},
		"the flag":                {value: "a", env: "b", want: "a"},
		"the variable":            {env: "b", want: "b"},
		"a file's line break":     {env: "b\n", want: "b"},
		"a line break of Windows": {env: "b\r\n", want: "b"},
		"several":                 {env: "b\n\n", want: "b"},
		"in a flag":               {value: "a\n", want: "a"},
		"blanks around":           {env: " \tb ", want: "b"},
		"blanks within":           {env: "b c\n", want: "b c"},
		"a blank variable":        {env: "\n", problem: "$" + variable + " is blank"},
		"a blank flag":            {value: " ", env: "b", problem: "--flag is blank"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Setenv(variable, c.env)
			got, err := program.LineOr("flag", c.value, variable)
			if c.problem != "" && (!errors.Is(err, program.ErrUsage) || !strings.Contains(err.Error(), c.problem)) {
				t.Errorf("got error %v, want %q", err, c.problem)
			}
			if got != c.want || c.problem == "" && err != nil {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestFlags_NamespacesOfAFile(t *testing.T) {
	var flags program.Flags
	set := program.NewFlagSet("test", &strings.Builder{})
	flags.AddTo(set)
	if err := program.Parse(set, []string{"--namespaces=team-a,team-b\n"}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("POD_NAMESPACE", "keys\n")
	flags.Complete(program.Getenv)
	if err := flags.Validate(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(flags.KeyNamespaces, []string{"team-a", "team-b"}) || flags.Namespace != "keys" {
		t.Errorf("got %q in %q", flags.KeyNamespaces, flags.Namespace)
	}
}
