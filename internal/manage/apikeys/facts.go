package apikeys

import (
	"context"
	"slices"
	"strings"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/internal/manage/usage/book"
)

// Facts are everything that is known about one key.
type Facts struct {
	Key
	// Record is the object as it is.
	Record *v1alpha1.APIKey
	// Overlapping are the earlier keys that are accepted beside the current one, the newest first.
	Overlapping []lifecycle.Key
	// Overlap is how long the spec keeps the current key accepted after a rotation; empty: not at all. MostOverlap is the
	// longest that a rotation may ask for.
	Overlap     v1alpha1.Duration
	MostOverlap time.Duration
	// Permissions are what the key was given, DENY included, and MissingRoles those that do not exist: while there are
	// any, the key may do nothing.
	Permissions  []access.Held
	MissingRoles []string
	// Owner is the ceiling of the key of a user, and nil for other keys.
	Owner *Ceiling
	// Budgets are those of the key and of its roles.
	Budgets []book.Line
	// Addresses are the uses by address and day, the latest first.
	Addresses []lastuse.AddressUse
	// Entries are the latest audit entries about the key, newest first.
	Entries []audit.Entry
}

// Ceiling is what a user holds: more than that, no APIKey of the user may do.
type Ceiling struct {
	Username string
	// Admin is true for an admin, who holds everything.
	Admin       bool
	Permissions []access.Held
}

// maxEntries bounds the audit entries of Facts.
const maxEntries = 50

// Facts returns everything that the caller may know about a key of a subject.
func (s *Service) Facts(
	ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, id string,
) (*Facts, error) {
	k, err := s.readable(ctx, caller, subject, id)
	if err != nil {
		return nil, err
	}
	view, err := s.shown(ctx, k)
	if err != nil {
		return nil, err
	}
	f := &Facts{Key: *view, Record: k, Overlapping: s.overlapping(k), Owner: s.ceilingOf(k)}
	f.setOverlap(k)
	rights := convert.Rights(k)
	f.Permissions, f.MissingRoles = s.Verifier.Held(&rights)
	f.Budgets = book.Lines(s.Verifier.AccountsOf(f.ID, f.Roles), s.Now())
	if f.Addresses, err = s.Uses.AddressUses(ctx, f.ID); err != nil {
		return nil, s.toError(ctx, databaseDown(err))
	}
	h := manage.History{
		Target: "APIKey/" + f.Object.String(), Created: k.CreationTimestamp.Time, Limit: maxEntries,
	}
	if f.Entries, err = h.Read(ctx, s.Gate, s.Entries, caller); err != nil {
		return nil, s.toError(ctx, databaseDown(err))
	}
	return f, nil
}

func (f *Facts) setOverlap(k *v1alpha1.APIKey) {
	spec := convert.Spec(k)
	if spec.Overlap > 0 {
		f.Overlap = convert.DurationOf(spec.Overlap)
	}
	f.MostOverlap = MaxOverlap
	if !spec.OverlapPerRotation {
		f.MostOverlap = spec.Overlap
	}
}

// AddressUses returns from which addresses a key was used on which day, the latest first.
func (s *Service) AddressUses(
	ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, id string,
) ([]lastuse.AddressUse, error) {
	k, err := s.readable(ctx, caller, subject, id)
	if err != nil {
		return nil, err
	}
	all, err := s.Uses.AddressUses(ctx, string(k.UID))
	if err != nil {
		return nil, s.toError(ctx, databaseDown(err))
	}
	return all, nil
}

// readable returns a key that the caller may read.
func (s *Service) readable(
	ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, id string,
) (*v1alpha1.APIKey, error) {
	if err := s.authorize(caller, subject, ActionRead); err != nil {
		return nil, err
	}
	k, err := s.find(ctx, caller, subject, id)
	if err != nil {
		return nil, s.toError(ctx, err)
	}
	return k, nil
}

// overlapping returns the earlier keys of an object that this server accepts now.
func (s *Service) overlapping(k *v1alpha1.APIKey) []lifecycle.Key {
	return slices.DeleteFunc(convert.Keys(k.Status.Keys), func(one lifecycle.Key) bool {
		if one.State != lifecycle.StateOverlapping {
			return true
		}
		accepted, _ := s.standing(&one)
		return !accepted
	})
}

func databaseDown(err error) error {
	return &manage.Error{Kind: manage.Unavailable, Text: "The database is unavailable", Cause: err}
}

func (s *Service) ceilingOf(k *v1alpha1.APIKey) *Ceiling {
	name := k.Spec.Subject.Name
	if k.Spec.Subject.Kind != v1alpha1.SubjectUser || name == "" {
		return nil
	}
	return &Ceiling{Username: name, Admin: s.Verifier.UserIsAdmin(name), Permissions: s.Verifier.HeldByUser(name)}
}

// Bounds of a question.
const (
	maxAction     = 256
	maxResource   = 512
	maxProperties = 16
)

// Fields of a question.
const (
	FieldAction     = "action"
	FieldResource   = "resource"
	FieldProperties = "property"
)

// Explain answers whether a key may do something now, and names each rule and fact that decides.
func (s *Service) Explain(
	ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, id string, read manage.Read[*access.Request],
) (*verify.Answer, error) {
	if err := s.authorize(caller, subject, ActionRead); err != nil {
		return nil, err
	}
	r, err := read.By(s.Gate, caller, errUnauthorized)
	if err != nil {
		return nil, s.toError(ctx, err)
	}
	if err := checkQuestion(r); err != nil {
		return nil, err
	}
	k, err := s.readable(ctx, caller, subject, id)
	if err != nil {
		return nil, err
	}
	return s.answer(k, r), nil
}

// checkQuestion checks what is asked. Without a resource it asks about every one.
func checkQuestion(r *access.Request) error {
	switch {
	case strings.TrimSpace(r.Action) == "":
		return manage.InvalidField(FieldAction, "is required: such as certs.read")
	case len(r.Action) > maxAction:
		return manage.InvalidField(FieldAction, "must be at most 256 bytes")
	case len(r.Resource) > maxResource:
		return manage.InvalidField(FieldResource, "must be at most 512 bytes")
	case len(r.Properties) > maxProperties:
		return manage.InvalidField(FieldProperties, "can be given at most 16 times")
	}
	if r.Resource == "" {
		r.Resource = access.Any
	}
	return nil
}

func (s *Service) answer(k *v1alpha1.APIKey, r *access.Request) *verify.Answer {
	current := currentOf(k)
	if current == nil {
		return &verify.Answer{Why: []string{"no key has been issued yet"}}
	}
	digest, err := pepper.ParseDigest(current.Digest)
	if err != nil {
		return &verify.Answer{Why: []string{"the recorded key can't be read"}}
	}
	verdict := s.Verifier.VerifyDigest(&digest, s.Now())
	a := s.Verifier.Answer(verdict, *r)
	if !verdict.Accepted() {
		return &a
	}
	if !s.Gate.AdmitsWrites(verdict) {
		a.Why = append(a.Why, "the allow list: "+verdict.Identity().Subject+" is not on it: requests that write are refused")
	}
	if judged := verdict.Budgets().Judge(s.Now()); judged.Refused != nil {
		a.Why = append(a.Why, gate.UsedUp(judged.Refused)+": requests are refused")
	}
	return &a
}

// Question returns what is asked about, from texts. Each property is <name>=<value>.
func Question(action, resource string, properties []string) (*access.Request, error) {
	r := &access.Request{Action: action, Resource: resource}
	for _, property := range properties {
		name, value, found := strings.Cut(property, "=")
		if !found || name == "" {
			return nil, manage.InvalidField(FieldProperties, "must be <name>=<value>: env=prod")
		}
		if r.Properties == nil {
			r.Properties = map[string]string{}
		}
		if _, twice := r.Properties[name]; twice {
			return nil, manage.InvalidField(FieldProperties, "is given twice for the same name")
		}
		r.Properties[name] = value
	}
	return r, nil
}
