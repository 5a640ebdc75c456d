package objects

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/internal/kube/kubeconfig"
)

// Errors of requests to the API server.
var (
	// ErrUnavailable is wrapped by every error of an API server that is unreachable or fails.
	ErrUnavailable = errors.New("the API server is unreachable")
	// ErrExists: there is an object of that name.
	ErrExists = errors.New("there is an object of that name already")
	// ErrGone: the object has been deleted, or is being deleted.
	ErrGone = errors.New("the object is gone")
	// ErrNotWaiting: the object does not wait for its first key any more.
	ErrNotWaiting = errors.New("the object does not wait for its first key")
	// ErrNotRevoked: the keys can't be revoked for good, so nothing was changed.
	ErrNotRevoked = errors.New("the revocation of the keys can't be recorded")
	// ErrSucceeded: another key than the one to succeed is current by now.
	ErrSucceeded = errors.New("another key is current")
	// ErrLastAdmin: admission keeps the last admin.
	ErrLastAdmin = errors.New("the last active admin has to stay")
)

// Exists is ErrExists with the uid of the object that has the name.
type Exists struct{ UID string }

// Error returns the text of ErrExists.
func (*Exists) Error() string { return ErrExists.Error() }

// Unwrap returns ErrExists.
func (*Exists) Unwrap() error { return ErrExists }

// Invalid is the error for an object whose content the API server refuses.
type Invalid struct {
	// Field is a path such as spec.ttl, and may be empty.
	Field string
	// Problem is for a person to read.
	Problem string
}

// Error returns the field and its problem.
func (i *Invalid) Error() string {
	if i.Field == "" {
		return i.Problem
	}
	return i.Field + ": " + i.Problem
}

// Refused is the error for a request that a policy, a webhook or a quota of the cluster refuses.
type Refused struct {
	// Message is for a person to read, and 300 bytes long at the most.
	Message string
}

// Error returns the text for callers of the API.
func (r *Refused) Error() string { return "The API server refuses it: " + r.Message }

const maxRefusal = 300

// noRight matches refusals by RBAC: a caller can't do anything about a right that the server lacks.
var noRight = regexp.MustCompile(`is forbidden: User "[^"]*" cannot `)

// refusal returns nil for an error that is not about the request itself.
func refusal(err error) *Refused {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return nil
	}
	message := status.Status().Message
	// A webhook may refuse with any status.
	byWebhook := strings.HasPrefix(message, "admission webhook ") && strings.Contains(message, " denied the request")
	if !byWebhook && (!apierrors.IsForbidden(err) || noRight.MatchString(message)) {
		return nil
	}
	if len(message) > maxRefusal {
		const more = "…"
		message = strings.ToValidUTF8(message[:maxRefusal-len(more)], "") + more
	}
	return &Refused{Message: message}
}

// lastAdminPolicy begins the message of a refusal by config/admission/last_admin.yaml.
const lastAdminPolicy = "ValidatingAdmissionPolicy 'keywright-last-admin'"

// failure translates an error of the client. It leaves a conflict as it is: retry repeats the write.
func failure(err error) error {
	switch {
	case err == nil || apierrors.IsConflict(err):
		return err
	case apierrors.IsAlreadyExists(err):
		return ErrExists
	case apierrors.IsNotFound(err):
		return ErrGone
	case apierrors.IsInvalid(err):
		return invalid(err)
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), lastAdminPolicy):
		return ErrLastAdmin
	}
	if refused := refusal(err); refused != nil {
		return refused
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, kubeconfig.Unreachable(err))
}

// invalid returns the first cause that the API server reports.
func invalid(err error) error {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil || len(status.Status().Details.Causes) == 0 {
		return &Invalid{Problem: "the object is not valid"}
	}
	cause := status.Status().Details.Causes[0]
	return &Invalid{Field: strings.TrimPrefix(cause.Field, "<nil>"), Problem: problemOf(cause)}
}

// problemOf removes the type and the value before the problem: Invalid value: "x": must be …
func problemOf(cause metav1.StatusCause) string {
	_, problem, found := strings.Cut(cause.Message, ": ")
	if !found {
		return cause.Message
	}
	if value, err := strconv.QuotedPrefix(problem); err == nil {
		return strings.TrimPrefix(problem[len(value):], ": ")
	}
	// A count is not quoted: Too many: 17: must have …
	if number, rest, found := strings.Cut(problem, ": "); found && isNumber(number) {
		return rest
	}
	return problem
}

func isNumber(text string) bool {
	_, err := strconv.ParseInt(text, 10, 64)
	return err == nil
}
