// Package instance shows how this instance runs: the settings in force, its replicas, its database. It shows no secret:
// no key, no digest, and no address of the database.
package instance

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/kube/serverlease"
	"keywright.dev/keywright/internal/manage"
)

// Configuration is the configuration that this server runs.
type Configuration struct {
	Settings config.Runtime
	// Before the first configuration, Revision is empty and Since zero.
	Revision string
	Since    time.Time
	// Refused is why a newer configuration is not in force, or nil.
	Refused error
}

// Database is the state of the database.
type Database struct {
	// Product is SQLite or PostgreSQL.
	Product string
	// Err is why it can't be used now, or nil.
	Err error
	// Free and Size of the volume of a SQLite file are in bytes. Both are 0 if they are not known.
	Free, Size uint64
}

// Program is what does not change while the server runs.
type Program struct {
	Version string
	// Namespace is the system namespace. Keys are in KeyNamespaces only, unless that is empty.
	Namespace     string
	KeyNamespaces []string
	// Replica is the name of this server's Lease.
	Replica string
}

// Config is what the service works with.
type Config struct {
	Gate    *gate.Gate
	Program Program
	// Configuration returns the configuration in force, Database the state of the database, and Pepper the id of the
	// pepper that new keys are digested with.
	Configuration func() Configuration
	Database      func() Database
	Pepper        func() string
	// Replicas lists the replicas of the server. It asks the API server.
	Replicas func(ctx context.Context) ([]serverlease.Replica, error)
	Now      func() time.Time
}

// Service shows how the instance runs. It is safe for concurrent use.
type Service struct{ Config }

// New returns a Service.
func New(c Config) *Service { return &Service{c} }

// Setting is a setting with what changes it.
type Setting struct {
	config.Current
	// Line are the lines of the manifest of keywright-config that set what is in force, and Patch is a command that
	// does. Both are empty for a secret setting.
	Line, Patch string
}

// Replica is a replica of the server.
type Replica struct {
	serverlease.Replica
	// This is the server that answers.
	This bool
	// Lapsed: it has not reported for so long that it may be gone.
	Lapsed bool
	// InStep: it runs the configuration that this server runs.
	InStep bool
}

// State is how the instance runs.
type State struct {
	Program
	Configuration Configuration
	Database      Database
	Pepper        string
	Replicas      []Replica
	// ReplicasErr is why the replicas are not known, or nil.
	ReplicasErr error
	Settings    []Setting
}

// InStep reports whether every replica is known to run the configuration of this server.
func (s *State) InStep() bool {
	for i := range s.Replicas {
		if !s.Replicas[i].InStep {
			return false
		}
	}
	return s.ReplicasErr == nil && len(s.Replicas) > 0
}

var (
	errNotAdmin = &manage.Error{Kind: manage.Forbidden, Text: "Admin access required"}
	errUnread   = &manage.Error{Kind: manage.Unavailable, Text: "The API server does not answer"}
)

// State returns how the instance runs, for an admin.
func (s *Service) State(ctx context.Context, caller manage.Caller) (*State, error) {
	if caller.Caller == nil || !caller.IsProven() || !caller.Admin {
		return nil, errNotAdmin
	}
	state := &State{
		Program: s.Program, Configuration: s.Configuration(), Database: s.Database(), Pepper: s.Pepper(),
	}
	found, err := s.Replicas(ctx)
	if err != nil {
		state.ReplicasErr = &manage.Error{Kind: errUnread.Kind, Text: errUnread.Text, Cause: err}
	}
	now := s.Now()
	for _, r := range found {
		lapsed := r.Lapsed(now)
		state.Replicas = append(state.Replicas, Replica{
			Replica: r, This: r.Name == s.Program.Replica, Lapsed: lapsed,
			InStep: !lapsed && r.Revision != "" && r.Revision == state.Configuration.Revision,
		})
	}
	for _, current := range state.Configuration.Settings.Current() {
		state.Settings = append(state.Settings, s.settingOf(current))
	}
	return state, nil
}

func (s *Service) settingOf(current config.Current) Setting {
	if current.IsSecret {
		return Setting{Current: current}
	}
	value := current.Written()
	return Setting{
		Current: current, Line: config.ManifestLine(current.Name, value),
		Patch: patchCommand(s.Program.Namespace, current.Name, value),
	}
}

// patchCommand returns a command that sets a value in keywright-config.
func patchCommand(namespace, name, value string) string {
	var patch bytes.Buffer
	encoder := json.NewEncoder(&patch)
	// It is read by people, and not in HTML.
	encoder.SetEscapeHTML(false)
	// Texts can be encoded.
	_ = encoder.Encode(map[string]map[string]string{"data": {name: value}})
	return "kubectl patch configmap " + v1alpha1.ConfigMapConfig + " -n " + namespace + " --type=merge -p " +
		quote(strings.TrimSpace(patch.String()))
}

// quote returns a text as one word of a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
