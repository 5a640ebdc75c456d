package kit

import (
	"errors"
	"strings"

	ssaerrors "github.com/fluxcd/pkg/ssa/errors"
	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Refusal returns a policy's message, without the names that the API server puts before it. It expects that Flux
// reports the refusal: what Flux takes for a change of an immutable field it answers, with force: true, by deleting the
// object and creating it again.
func Refusal(err error) string {
	ginkgo.GinkgoHelper()
	var status apierrors.APIStatus
	gomega.Expect(errors.As(err, &status)).To(gomega.BeTrue(), "not refused: %v", err)
	gomega.Expect(apierrors.IsForbidden(err)).To(gomega.BeTrue(), "not forbidden: %v", err)
	gomega.Expect(ssaerrors.IsImmutableError(err)).To(gomega.BeFalse(), "Flux would create the object again: %v", err)
	_, message, found := strings.Cut(status.Status().Message, " denied request: ")
	gomega.Expect(found).To(gomega.BeTrue(), "not refused by a policy: %v", err)
	return message
}

// ExpectRefusal expects that a policy forbade the write with exactly this message, or that the write succeeded if it is
// empty.
func ExpectRefusal(err error, message string) {
	ginkgo.GinkgoHelper()
	if message == "" {
		gomega.Expect(err).NotTo(gomega.HaveOccurred())
		return
	}
	gomega.Expect(Refusal(err)).To(gomega.Equal(message))
}

// ExpectNoRight expects a refusal by RBAC, which precedes the policies.
func ExpectNoRight(err error) {
	ginkgo.GinkgoHelper()
	gomega.Expect(IsRefusedByRBAC(err)).To(gomega.BeTrue(), "not refused by RBAC: %v", err)
}

// IsRefusedByRBAC reports whether RBAC refused a request.
func IsRefusedByRBAC(err error) bool {
	return apierrors.IsForbidden(err) && !IsRefusedByPolicy(err)
}

// IsRefusedByPolicy reports whether a ValidatingAdmissionPolicy refused a write.
func IsRefusedByPolicy(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "ValidatingAdmissionPolicy")
}
