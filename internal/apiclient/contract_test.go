package apiclient_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/httpapi/openapi"
)

// calls calls every method of the client once.
func calls(ctx context.Context, c *apiclient.Client) {
	const name = "a.name"
	_, _ = c.Me(ctx)
	_, _ = c.Login(ctx, name, "key")
	_ = c.Logout(ctx)
	_, _ = c.Introspect(ctx, "key")
	_, _ = c.Users(ctx)
	_, _ = c.CreateUser(ctx, name)
	_ = c.DeleteUser(ctx, name, true)
	_, _ = c.ChangeRole(ctx, name, "user")
	_, _ = c.EnableUser(ctx, name, false)
	_, _ = c.RotateUser(ctx, name)
	c.Keys(ctx, apiclient.KeyFilter{})(func(*apiclient.Key, error) bool { return false })
	_, _ = c.Accepted(ctx)
	_, _ = c.GetKey(ctx, name)
	for _, subject := range []string{"", "Account/" + name, "Integration/" + name} {
		_, _ = c.CreateKey(ctx, subject, nil)
	}
	_, _ = c.ChangeKey(ctx, name, nil)
	_, _ = c.RotateKey(ctx, name, nil)
	_ = c.DeleteKey(ctx, name)
	_, _ = c.OwnKey(ctx)
	_, _ = c.RotateOwnKey(ctx, nil)
	_, _ = c.Catalog(ctx)
	_, _ = c.Audit(ctx, apiclient.AuditFilter{})
	_, _ = c.Budgets(ctx, 1)
	_, _ = c.Claims(ctx)
	_, _ = c.CreateClaim(ctx, &apiclient.WantedClaim{})
	_ = c.WithdrawClaim(ctx, name)
	_, _ = c.Claim(ctx, name)
	_, _ = c.Usage(ctx, apiclient.UsageQuery{})
	_, _ = c.UsageSummary(ctx)
	_, _ = c.UsageOfJob(ctx, name)
	_ = c.ExportUsage(ctx, apiclient.UsageQuery{}, "csv", io.Discard)
	_, _ = c.Reprice(ctx, time.Time{}, true)
}

// Every request of the client is an operation of the OpenAPI document. Methods that calls forgot are found by their
// number.
func TestClient_CallsDocumentedOperations(t *testing.T) {
	operations, err := openapi.Operations()
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, operation := range operations {
		documented[anyName(operation)] = true
	}
	sent := map[string]bool{}
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		path := strings.NewReplacer("a.name", "{}", "/me/", "/{}/").Replace(r.URL.Path)
		sent[r.Method+" "+path] = true
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "{}")
	})
	calls(t.Context(), client)
	for operation := range sent {
		if !documented[operation] {
			t.Errorf("%s is not in the document", operation)
		}
	}
	// Do is not an operation of its own, and Accepted has that of Keys; CreateKey is three.
	if methods := reflect.TypeFor[*apiclient.Client]().NumMethod(); len(sent) != methods-2+2 {
		t.Errorf("%d methods, %d operations: %q", methods, len(sent), slices.Sorted(maps.Keys(sent)))
	}
}

// anyName replaces {username} by {}.
func anyName(operation string) string {
	for _, name := range []string{"username", "user", "account", "integration", "id", "job_id"} {
		operation = strings.ReplaceAll(operation, "{"+name+"}", "{}")
	}
	return operation
}

// The types of the client have exactly the fields of the schemas.
func TestTypes_MatchSchemas(t *testing.T) {
	var document struct {
		Components struct {
			Schemas   map[string]struct{ Properties map[string]any }
			Responses map[string]struct {
				Content map[string]struct {
					Schema struct{ Properties map[string]any }
				}
			}
		}
	}
	if err := yaml.Unmarshal(openapi.Document(), &document); err != nil {
		t.Fatal(err)
	}
	schema := func(name string) map[string]any { return document.Components.Schemas[name].Properties }
	me := document.Components.Responses["Me"].Content["application/json"].Schema.Properties
	for name, c := range map[string]struct {
		properties map[string]any
		of         reflect.Type
	}{
		"Key":       {schema("Key"), reflect.TypeFor[apiclient.Key]()},
		"OwnKey":    {schema("OwnKey"), reflect.TypeFor[apiclient.OwnKey]()},
		"User":      {schema("User"), reflect.TypeFor[apiclient.User]()},
		"SecretRef": {schema("SecretRef"), reflect.TypeFor[apiclient.Reference]()},
		"Audit":     {schema("AuditEntry"), reflect.TypeFor[apiclient.AuditEntry]()},
		"Me":        {me, reflect.TypeFor[apiclient.Me]()},
		"Usage":     {schema("Usage"), reflect.TypeFor[apiclient.Usage]()},
		"UsageLine": {schema("UsageLine"), reflect.TypeFor[apiclient.UsageLine]()},
		"Summary":   {schema("UsageSummary"), reflect.TypeFor[apiclient.UsageSummary]()},
		"Period":    {schema("UsagePeriod"), reflect.TypeFor[apiclient.UsagePeriod]()},
		"Job":       {schema("UsageOfJob"), reflect.TypeFor[apiclient.UsageOfJob]()},
		"Record":    {schema("UsageRecord"), reflect.TypeFor[apiclient.UsageRecord]()},
	} {
		t.Run(name, func(t *testing.T) {
			var fields []string
			for i := range c.of.NumField() {
				tag, _, _ := strings.Cut(c.of.Field(i).Tag.Get("json"), ",")
				fields = append(fields, tag)
			}
			slices.Sort(fields)
			if want := slices.Sorted(maps.Keys(c.properties)); !slices.Equal(fields, want) {
				t.Errorf("the type has %q, the schema %q", fields, want)
			}
		})
	}
}
