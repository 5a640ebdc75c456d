package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
)

// States of findings.
const (
	stateOK      = "ok"
	stateWrong   = "wrong"
	stateUnknown = "unknown"
)

// finding is the result of one check.
type finding struct {
	Check  string `json:"check"`
	State  string `json:"state"`
	Detail string `json:"detail"`
	// Remedy is what to do about it.
	Remedy string `json:"remedy,omitempty"`
}

func ok(format string, args ...any) []finding {
	return []finding{{State: stateOK, Detail: fmt.Sprintf(format, args...)}}
}

func wrong(remedy, format string, args ...any) finding {
	return finding{State: stateWrong, Detail: fmt.Sprintf(format, args...), Remedy: remedy}
}

// unknown is the finding of a check that could not be made.
func unknown(err error) []finding {
	return []finding{{State: stateUnknown, Detail: plain(err).Error()}}
}

// checks are in the order in which a fault of one explains the next.
var checks = []struct {
	name string
	run  func(*doctor, context.Context) []finding
}{
	{"kinds", (*doctor).checkKinds},
	{"policies", (*doctor).checkPolicies},
	{"rights", (*doctor).checkRights},
	{"pepper", (*doctor).checkPepper},
	{"configuration", (*doctor).checkConfiguration},
	{"servers", (*doctor).checkServers},
	{"server", (*doctor).checkReadiness},
	{"clock", (*doctor).checkClock},
	{"versions", (*doctor).checkVersions},
	{"keys", (*doctor).checkKeys},
}

// doctor has what the checks work with.
type doctor struct {
	*Plugin
	client.Client
}

func (p *Plugin) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check an installation: kinds, policies, rights, pepper, servers, clocks, versions.",
		Long: `Check an installation: kinds, policies, rights, pepper, servers, clocks, versions.

Each finding has its remedy. Exit code 1 if something is wrong. What your account may
not read is reported as unknown.`,
		Example: `  kubectl keywright doctor`,
		Args:    console.Arguments(0, 0),
		RunE:    func(c *cobra.Command, _ []string) error { return p.examine(c.Context()) },
	}
}

func findingsView() *output.View[finding] {
	return &output.View[finding]{
		Columns: []output.Column[finding]{
			{Header: "CHECK", Value: func(f finding) string { return f.Check }},
			{Header: "STATE", Value: func(f finding) string { return f.State }},
			{Header: "DETAIL", Value: func(f finding) string { return f.Detail }},
			{Header: "REMEDY", Value: func(f finding) string { return f.Remedy }},
		},
		Name: func(f finding) string { return f.Check },
	}
}

func (p *Plugin) examine(ctx context.Context) error {
	c, err := p.client()
	if err != nil {
		return err
	}
	d := &doctor{p, c}
	out, sick := output.NewList(p.Stdout, 0, p.format, findingsView()), false
	for _, c := range checks {
		for _, f := range c.run(d, ctx) {
			f.Check = c.name
			sick = sick || f.State == stateWrong
			if err := out.Print(f); err != nil {
				return err
			}
		}
	}
	if err := out.Close(); err != nil {
		return err
	}
	if sick {
		return console.ErrReported
	}
	return nil
}

// policies are the admission policies of config/admission.
var policies = []string{
	"keywright-accessrolebinding-transitions", "keywright-accessrolebinding-use", "keywright-adminuser-id",
	"keywright-adminuser-namespace", "keywright-adminuser-transitions", "keywright-adminuser-use",
	"keywright-apikey-owner", "keywright-apikey-scopes", "keywright-apikey-subject-roles-policy",
	"keywright-apikey-transitions", "keywright-created-by", "keywright-last-admin", "keywright-response-delivery",
	"keywright-server-leases", "keywright-server-writes", "keywright-status-writers",
}

// missingOf returns the names that are not among those found.
func missingOf(names []string, found map[string]bool) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(names), func(name string) bool { return found[name] }), ", ")
}
