package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
)

// States of findings.
const (
	stateOK = "ok"
	// stateWarning is for what is in order for a while, such as during an upgrade.
	stateWarning = "warning"
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
	f := finding{State: stateUnknown, Detail: plain(err).Error()}
	if apierrors.IsForbidden(err) {
		f.Remedy = "let an admin of the cluster run this, or give you the right"
	}
	return []finding{f}
}

// checks are in the order in which a fault of one explains the next.
var checks = []struct {
	name string
	run  func(*doctor, context.Context) []finding
}{
	{"you", (*doctor).checkYou},
	{"kinds", (*doctor).checkKinds},
	{"fields", (*doctor).checkFields},
	{"policies", (*doctor).checkPolicies},
	{"rights", (*doctor).checkRights},
	{"pods", (*doctor).checkPods},
	{"pepper", (*doctor).checkPepper},
	{"configuration", (*doctor).checkConfiguration},
	{"operator", (*doctor).checkOperator},
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
	// now is the time by the clock of the API server, and skew how far this machine is ahead of it.
	now  time.Time
	skew time.Duration
	// server is the server of Keywright to be asked directly, or nil.
	server *apiclient.Client
	// warnings is what warningsOnPods has read, or nil.
	warnings *[]corev1.Event
}

func (p *Plugin) doctorCommand() *cobra.Command {
	var server string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check an installation: kinds, fields, policies, rights, Pods, pepper, servers, database, clocks, versions.",
		Long: `Check an installation: kinds, fields, policies, rights, Pods, pepper, servers, database, clocks, versions.

Each finding has its remedy. Exit code 1 if something is wrong. A warning is for what
is in order for a while, such as CRDs of the version before during an upgrade. What your
account may not read is reported as unknown.

The fields of the CRDs are compared with those that this program knows: run the version
of the operator.

What only a server knows, such as the state of its database, it is asked for: at the
address of --keywright-server or $KEYWRIGHT_SERVER, without a key, or else through the
API server.`,
		Example: `  kubectl keywright doctor
  kubectl keywright doctor --keywright-server "$KEYWRIGHT_SERVER"`,
		Args: console.Arguments(0, 0),
	}
	addServerFlag(c, &server)
	c.RunE = func(c *cobra.Command, _ []string) error {
		d, err := p.newDoctor(c.Context(), server)
		if err != nil {
			return err
		}
		return d.examine(c.Context())
	}
	return c
}

// newDoctor returns an error if the API server does not answer.
func (p *Plugin) newDoctor(ctx context.Context, server string) (d *doctor, err error) {
	d = &doctor{Plugin: p}
	// The profile of [default] is not asked: it may be the server of another cluster.
	if server != "" || p.Getenv(cli.EnvServer) != "" {
		if d.server, err = cli.OpenAnonymous(ctx, p.Console, p.Version, server); err != nil {
			return nil, err
		}
	}
	if d.Client, err = p.client(); err != nil {
		return nil, err
	}
	if d.now, err = d.serverTime(ctx); err != nil {
		return nil, fmt.Errorf("the API server does not answer: %w", err)
	}
	d.skew = p.Now().Sub(d.now)
	return d, nil
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

func (d *doctor) examine(ctx context.Context) error {
	out, sick := output.NewList(d.Stdout, 0, d.format, findingsView()), false
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

// advisoryPolicy only warns.
const advisoryPolicy = "keywright-response-delivery"

// missingOf returns the names that are not among those found.
func missingOf(names []string, found map[string]bool) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(names), func(name string) bool { return found[name] }), ", ")
}
