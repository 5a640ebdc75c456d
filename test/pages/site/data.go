package site

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/apiclient"
)

// Fill gives the site users, keys, uses and token usage, and completes AliceKey and Facts.
func (s *Site) Fill(t testing.TB) {
	t.Helper()
	s.fillUsers(t)
	keys := s.fillKeys(t)
	s.fillManifests(t)
	s.use(t, keys["Nightly build"], "192.0.2.17", "192.0.2.18", "2001:db8::1f")
	s.use(t, keys["Pull request checks"], "198.51.100.4")
	s.use(t, keys["Laptop"], "203.0.113.88")
	s.report(t)
	s.link(t, map[string]any{"kind": "user", "username": "erin.gray"})
	s.link(t, map[string]any{
		"kind": "key", "subject": "Account/billing", "expires_in_seconds": 3600,
		"key": apiclient.KeyFields{"name": "Invoice export", "scopes": []string{"packages.read"}},
	})
	s.Facts.User = "alice"
	s.Facts.Key = keys["Nightly build"].ID
}

func (s *Site) fillUsers(t testing.TB) {
	t.Helper()
	ctx := t.Context()
	for _, name := range []string{"marta", "lee.chan", "sam"} {
		s.see(t, name)
	}
	for _, name := range []string{"Dana.Fox", "priya", "alice"} {
		user, err := s.Admin.CreateUser(ctx, name)
		must(t, err)
		s.AliceKey = user.APIKey
	}
	_, err := s.Admin.EnableUser(ctx, "priya", false)
	must(t, err)
}

// see makes the company's proxy name a user.
func (s *Site) see(t testing.TB, name string) {
	t.Helper()
	c := s.As(t, "")
	_, err := c.Do(t.Context(), &apiclient.Request{
		Method: http.MethodGet, Path: "/api/auth/me", Header: http.Header{"X-Forwarded-User": {name}},
	})
	must(t, err)
}

// companyKeys are made one after the other; lists show the last first.
var companyKeys = []struct {
	subject string
	apiclient.KeyFields
	days int
}{
	{"User/alice", apiclient.KeyFields{"name": "Laptop", "scopes": []string{"certs.read"}}, 365},
	{"User/marta", apiclient.KeyFields{
		"name": "Grafana dashboards", "description": "Shows which certificates end soon.",
	}, 90},
	{"Account/release", apiclient.KeyFields{
		"name": "Release pipeline", "description": "Publishes packages after each tag.",
		"scopes": []string{"packages.read", "packages.publish"},
	}, 30},
	{"Account/old-backup", apiclient.KeyFields{"name": "Backup of 2024", "scopes": []string{"packages.read"}}, 0},
	{"Integration/github", apiclient.KeyFields{
		"name": "Pull request checks", "description": "Used by the checks of every pull request.",
		"scopes": []string{"packages.read", "certs.read"},
	}, 3},
	{"Account/ci", apiclient.KeyFields{
		"name": "Nightly build", "description": "Renews the certificates of the test machines.",
		"policy": map[string]any{"permissions": []map[string]any{
			{"effect": "ALLOW", "actions": []string{"certs.read", "certs.renew"}, "resources": []string{"*"}},
			{"effect": "DENY", "actions": []string{"*"}, "resources": []string{"certificate:root"}},
		}},
		"scopes": []string{"certs.read", "usage.write"},
	}, 60},
}

func (s *Site) fillKeys(t testing.TB) map[string]*apiclient.Key {
	t.Helper()
	keys := map[string]*apiclient.Key{}
	for _, wanted := range companyKeys {
		fields := maps.Clone(wanted.KeyFields)
		if wanted.days > 0 {
			fields["expires_in_seconds"] = wanted.days*24*3600 + 7200
		}
		key, err := s.Admin.CreateKey(t.Context(), wanted.subject, fields)
		must(t, err)
		keys[key.Name] = key
	}
	_, err := s.Admin.ChangeKey(t.Context(), keys["Backup of 2024"].ID, apiclient.KeyFields{"enabled": false})
	must(t, err)
	rotated, err := s.Admin.RotateKey(t.Context(), keys["Nightly build"].ID, nil)
	must(t, err)
	keys["Nightly build"] = rotated
	return keys
}

// manifests are what the company keeps in Git.
func manifests() []client.Object {
	role := &v1alpha1.AccessRole{}
	role.Name = "ai-team"
	role.Spec.Description = "Makes AI calls, and reports what they use."
	role.Spec.Permissions = []v1alpha1.Permission{{
		Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{"usage.write"}, Resources: []v1alpha1.Resource{"*"},
	}}
	role.Spec.Limits = &v1alpha1.Limits{Budgets: []v1alpha1.Budget{{
		Name: "monthly", USD: "500", Period: v1alpha1.BudgetMonth,
	}}}
	user := &v1alpha1.AdminUser{}
	user.Name, user.Namespace = "bob", "keywright-system"
	user.Spec.Username = "Bob.Stone"
	assistant := &v1alpha1.APIKey{}
	assistant.Name, assistant.Namespace = "assistant", "default"
	assistant.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "assistant"}
	assistant.Spec.DisplayName = "Support assistant"
	assistant.Spec.Roles = []v1alpha1.RoleName{"ai-team"}
	assistant.Spec.Budgets = []v1alpha1.Budget{
		{Name: "daily", USD: "12.50", Period: v1alpha1.BudgetDay},
		// It is used up at any time of the day, so that every page is also looked at with its longest state.
		{Name: "trial", USD: "0.01", Period: v1alpha1.BudgetMonth},
	}
	return []client.Object{role, user, assistant}
}

func (s *Site) fillManifests(t testing.TB) {
	t.Helper()
	for _, object := range manifests() {
		must(t, s.Client.Create(t.Context(), object))
	}
	Await(t, "the key of the assistant is accepted", func(ctx context.Context) bool {
		accepted, err := s.As(t, s.assistantKey(ctx)).Accepted(ctx)
		return err == nil && accepted
	})
}

// assistantKey returns the key in the assistant's Secret, or an empty string before the key is issued.
func (s *Site) assistantKey(ctx context.Context) string {
	secret := &corev1.Secret{}
	if s.Client.Get(ctx, client.ObjectKey{Namespace: "default", Name: "assistant-api-key"}, secret) != nil {
		return "none"
	}
	return string(secret.Data["key"])
}

// use lets a key through the gate from some addresses.
func (s *Site) use(t testing.TB, key *apiclient.Key, addresses ...string) {
	t.Helper()
	for _, address := range addresses {
		_, err := s.As(t, key.Token).Do(t.Context(), &apiclient.Request{
			Method: http.MethodGet, Path: "/auth", Header: http.Header{
				"X-Forwarded-For": {address}, "X-Forwarded-Method": {"GET"}, "X-Forwarded-Uri": {"/healthz"},
				"X-Forwarded-Host": {"certificates.example.com"},
			},
		})
		must(t, err)
	}
}

// link makes a claim link, which stays open.
func (s *Site) link(t testing.TB, fields map[string]any) {
	t.Helper()
	_, err := s.Admin.Do(t.Context(), &apiclient.Request{
		Method: http.MethodPost, Path: "/api/admin/claims", Body: fields,
	})
	must(t, err)
}

// call is a kind of AI call that the assistant makes.
type call struct {
	provider, model, kind, job string
	input, output              int
}

var calls = []call{
	{"openai", "gpt-4o", "chat", "support-answers", 1800, 420},
	{"openai", "gpt-4o-mini", "classify", "triage", 640, 24},
	{"anthropic", "claude-sonnet-4", "chat", "release-notes", 5200, 1400},
	{"anthropic", "claude-sonnet-4", "summarize", "nightly-report", 9100, 800},
	{"mistral", "mistral-small", "chat", "experiment-7", 900, 200},
}

// report reports the AI calls of a month. The numbers are the same each time.
func (s *Site) report(t testing.TB) {
	t.Helper()
	random := mathrand.New(mathrand.NewPCG(3, 4))
	var records []map[string]any
	now := time.Now().UTC()
	for hour := 30 * 24; hour > 0; hour -= 4 {
		c := calls[random.IntN(len(calls))]
		share := 0.5 + random.Float64()
		records = append(records, map[string]any{
			"id": fmt.Sprintf("call-%d", hour), "created_at": now.Add(-time.Duration(hour) * time.Hour).Format(time.RFC3339),
			"job_id": c.job, "ai_provider": c.provider, "ai_model": c.model, "call_type": c.kind,
			"input_tokens": int(float64(c.input) * share * 100), "output_tokens": int(float64(c.output) * share * 100),
			"cache_read_tokens": int(float64(c.input) * share * 30), "duration_ms": 900 + random.IntN(4000),
		})
	}
	for batch := range slices.Chunk(records, 100) {
		s.send(t, batch)
	}
	s.Facts.Job = "support-answers"
}

func (s *Site) send(t testing.TB, records []map[string]any) {
	t.Helper()
	body, err := json.Marshal(records)
	must(t, err)
	_, err = s.As(t, s.assistantKey(t.Context())).Do(t.Context(), &apiclient.Request{
		Method: http.MethodPost, Path: "/api/token-usage", Body: body,
		Header: http.Header{"Content-Type": {"application/json"}},
	})
	must(t, err)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
