package stack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// auditPolicy has every request of the two programs noted, and nobody else's. An open watch is noted when it begins.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users:
  - ` + serviceAccounts + `keywright-operator
  - ` + serviceAccounts + `keywright-server
- level: None
`

// serviceAccounts is what the names of the ServiceAccounts of the system namespace begin with.
const serviceAccounts = "system:serviceaccount:" + Namespace + ":"

// Request is one that the operator or the server made, as the API server noted it.
type Request struct {
	// Account is the ServiceAccount in the system namespace.
	Account string
	// Verb, with what it was about. Without a Resource it was no request for one.
	Verb, Group, Resource, Subresource, Namespace, Name string
	// Code is the HTTP status of the answer.
	Code int
}

func (r Request) String() string {
	return fmt.Sprintf("%s: %s %s.%s/%s %q in %q: %d", r.Account, r.Verb, r.Resource, r.Group, r.Subresource, r.Name, r.Namespace, r.Code)
}

// audit turns the audit log on.
func (c *ControlPlane) audit() error {
	policy := filepath.Join(c.run(), "audit-policy.yaml")
	c.env.ControlPlane.APIServer.Configure().Set("audit-policy-file", policy).Set("audit-log-path", c.auditLog())
	return os.WriteFile(policy, []byte(auditPolicy), 0o600)
}

func (c *ControlPlane) auditLog() string {
	return filepath.Join(c.run(), "audit.log")
}

// Requests is all that the operator and the server have asked of the API server, over every start of theirs. It takes
// Options.Audit.
func (c *ControlPlane) Requests() ([]Request, error) {
	log, err := os.ReadFile(c.auditLog())
	if err != nil {
		return nil, err
	}
	var requests []Request
	for line := range bytes.Lines(log) {
		var noted auditEvent
		if err := json.Unmarshal(line, &noted); err != nil {
			return nil, fmt.Errorf("%s: %w", c.auditLog(), err)
		}
		requests = append(requests, noted.request())
	}
	return requests, nil
}

// auditEvent is what is of interest in an Event of audit.k8s.io.
type auditEvent struct {
	Verb string `json:"verb"`
	User struct {
		Username string `json:"username"`
	} `json:"user"`
	ObjectRef struct {
		Group       string `json:"apiGroup"`
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

func (e auditEvent) request() Request {
	return Request{
		Account: strings.TrimPrefix(e.User.Username, serviceAccounts), Verb: e.Verb,
		Group: e.ObjectRef.Group, Resource: e.ObjectRef.Resource, Subresource: e.ObjectRef.Subresource,
		Namespace: e.ObjectRef.Namespace, Name: e.ObjectRef.Name, Code: e.ResponseStatus.Code,
	}
}
