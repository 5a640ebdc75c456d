package stack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// auditPolicy records every request of the two programs and no others. A watch is recorded when it starts.
func (c *ControlPlane) auditPolicy() string {
	return `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users:
  - ` + c.serviceAccounts() + `keywright-operator
  - ` + c.serviceAccounts() + `keywright-server
- level: None
`
}

// serviceAccounts is the prefix of the names of the system namespace's ServiceAccounts.
func (c *ControlPlane) serviceAccounts() string {
	return "system:serviceaccount:" + c.options.Namespace + ":"
}

// Request is a request of the operator or the server, as the API server's audit log records it.
type Request struct {
	// Account is the ServiceAccount in the system namespace.
	Account string
	// Verb and the object it was applied to. Without a Resource the request was not for one.
	Verb, Group, Resource, Subresource, Namespace, Name string
	// Code is the HTTP status of the reply.
	Code int
}

func (r Request) String() string {
	return fmt.Sprintf("%s: %s %s.%s/%s %q in %q: %d", r.Account, r.Verb, r.Resource, r.Group, r.Subresource, r.Name,
		r.Namespace, r.Code)
}

// audit turns the audit log on.
func (c *ControlPlane) audit() error {
	policy := filepath.Join(c.run(), "audit-policy.yaml")
	c.env.ControlPlane.APIServer.Configure().Set("audit-policy-file", policy).Set("audit-log-path", c.auditLog())
	return os.WriteFile(policy, []byte(c.auditPolicy()), 0o600)
}

func (c *ControlPlane) auditLog() string {
	return filepath.Join(c.run(), "audit.log")
}

// Requests returns every request of the operator and the server, over all their starts. It needs Options.Audit.
func (c *ControlPlane) Requests() ([]Request, error) {
	return c.RequestsIn(c.auditLog())
}

// RequestsIn is Requests for the audit log of another API server.
func (c *ControlPlane) RequestsIn(path string) ([]Request, error) {
	log, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var requests []Request
	for line := range bytes.Lines(log) {
		var noted auditEvent
		if err := json.Unmarshal(line, &noted); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		requests = append(requests, noted.request(c.serviceAccounts()))
	}
	return requests, nil
}

// auditEvent is the part of an audit.k8s.io Event that Requests reads.
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

func (e auditEvent) request(serviceAccounts string) Request {
	return Request{
		Account: strings.TrimPrefix(e.User.Username, serviceAccounts), Verb: e.Verb,
		Group: e.ObjectRef.Group, Resource: e.ObjectRef.Resource, Subresource: e.ObjectRef.Subresource,
		Namespace: e.ObjectRef.Namespace, Name: e.ObjectRef.Name, Code: e.ResponseStatus.Code,
	}
}
