package cluster

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// record is what a server knows about a key.
type record struct {
	Server string `json:"server"`
	// Addresses are those of the last use and of the operations, each once.
	Addresses []string `json:"addresses"`
	// Changes are operations of management on the key, Operations those with it. Both are newest first.
	Changes    []apiclient.AuditEntry `json:"changes"`
	Operations []apiclient.AuditEntry `json:"operations"`
}

const (
	// shownEntries bounds how many entries of each kind are shown.
	shownEntries = 20
	// searchedEntries is how many entries of the subject are searched for those of the key: one page.
	searchedEntries = 1000
)

// recordOf asks a server about the keys of an object.
func recordOf(ctx context.Context, client *apiclient.Client, o keyholder.Object) (*record, error) {
	r := &record{Server: client.URL.String(), Addresses: []string{}}
	lastFrom, err := lastAddress(ctx, client, o)
	if err != nil {
		return nil, err
	}
	if r.Changes, err = client.Audit(ctx, apiclient.AuditFilter{Target: auditTarget(o), Limit: shownEntries}); err != nil {
		return nil, err
	}
	done, err := client.Audit(ctx, apiclient.AuditFilter{Actor: subjectOf(o), Limit: searchedEntries})
	if err != nil {
		return nil, err
	}
	r.Operations = slices.DeleteFunc(done, func(e apiclient.AuditEntry) bool { return !hasKey(o, e.KeyID) })
	r.addAddress(lastFrom)
	for i := range r.Operations {
		r.addAddress(r.Operations[i].From)
	}
	r.Operations = r.Operations[:min(len(r.Operations), shownEntries)]
	return r, nil
}

func (r *record) addAddress(address string) {
	if address != "" && !slices.Contains(r.Addresses, address) {
		r.Addresses = append(r.Addresses, address)
	}
}

func hasKey(o keyholder.Object, id string) bool {
	return slices.ContainsFunc(o.HolderStatus().Keys, func(k v1alpha1.KeyStatus) bool { return k.ID == id })
}

// auditTarget returns how the audit trail names an object.
func auditTarget(o keyholder.Object) string {
	if keyholder.KindOf(o) == keyholder.AdminUser {
		return subjectOf(o)
	}
	return keyholder.APIKey + "/" + o.GetNamespace() + "/" + o.GetName()
}

// lastAddress returns the address of the last use of an object's key, if the server has it. It returns an error if the
// server does not know the object: a server of another cluster may have one of the same name.
func lastAddress(ctx context.Context, client *apiclient.Client, o keyholder.Object) (string, error) {
	unknown := fmt.Errorf("it does not show %s: it belongs to another cluster, or your key for it has too few rights",
		describe(o))
	if keyholder.KindOf(o) == keyholder.APIKey {
		key, err := client.GetKey(ctx, string(o.GetUID()))
		switch {
		case apiclient.StatusOf(err) == http.StatusNotFound:
			return "", unknown
		case err != nil || key.LastUsedFrom == nil:
			return "", err
		}
		return *key.LastUsedFrom, nil
	}
	users, err := client.Users(ctx)
	if err == nil && !slices.ContainsFunc(users, func(u apiclient.User) bool { return u.ID == string(o.GetUID()) }) {
		err = unknown
	}
	return "", err
}

// print prints what a person wants to know of it.
func (r *record) print(say func(format string, args ...any)) {
	say("Server: %s", r.Server)
	say("Addresses on record: %s", namesOf(r.Addresses))
	for _, list := range []struct {
		title   string
		entries []apiclient.AuditEntry
	}{{"Changes of the key", r.Changes}, {"Operations with the key", r.Operations}} {
		if len(list.entries) == 0 {
			say("%s: none on record", list.title)
			continue
		}
		say("%s, newest first:", list.title)
		for i := range list.entries {
			say("  %s", lineOf(&list.entries[i]))
		}
	}
}

// lineOf returns an entry as 2030-01-31T12:00:00Z User/alice from 192.0.2.1: key.rotate APIKey/team/ci, done (lost).
func lineOf(e *apiclient.AuditEntry) string {
	var b strings.Builder
	b.WriteString(e.At + " ")
	if e.Actor == "" {
		b.WriteString("anonymous")
	}
	b.WriteString(e.Actor)
	if e.From != "" {
		b.WriteString(" from " + e.From)
	}
	b.WriteString(": " + e.Action + " " + e.Target + ", " + e.Outcome)
	if e.Count > 1 {
		fmt.Fprintf(&b, " %d times", e.Count)
	}
	if e.Reason != "" {
		b.WriteString(" (" + e.Reason + ")")
	}
	return b.String()
}
