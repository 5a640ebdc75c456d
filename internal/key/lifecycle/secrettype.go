package lifecycle

import (
	"slices"
	"strings"
)

// maxSecretType is the length of the longest type that spec.secret.type accepts.
const maxSecretType = 253

// AllowsSecretType reports whether a Secret of this type may hold a key: Opaque, kubernetes.io/basic-auth, or a type
// of a domain that is not Kubernetes' own. Other types of Kubernetes are credentials in themselves: it fills a Secret
// of type kubernetes.io/service-account-token with a token. The CRD has the same rule; the operator checks again before
// it writes, in case the CRD in the cluster lacks it.
func AllowsSecretType(secretType string) bool {
	if slices.Contains([]string{"Opaque", "kubernetes.io/basic-auth"}, secretType) {
		return true
	}
	domain, name, _ := strings.Cut(secretType, "/")
	return len(secretType) <= maxSecretType && isDomain(domain) && !isOfKubernetes(domain) && isTypeName(name)
}

func isOfKubernetes(domain string) bool {
	for _, reserved := range []string{"kubernetes.io", "k8s.io"} {
		if domain == reserved || strings.HasSuffix(domain, "."+reserved) {
			return true
		}
	}
	return false
}

// isDomain reports whether s is two or more labels of lower case letters, digits and inner hyphens.
func isDomain(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if !isWord(label, "-") || strings.ToLower(label) != label {
			return false
		}
	}
	return strings.Contains(s, ".")
}

func isTypeName(s string) bool { return isWord(s, "-_.") }

// isWord reports whether s is ASCII letters and digits, with further characters between them.
func isWord(s, inner string) bool {
	for i := range len(s) {
		atEnd := i == 0 || i == len(s)-1
		if !isAlphanumeric(s[i]) && (atEnd || !strings.Contains(inner, s[i:i+1])) {
			return false
		}
	}
	return s != ""
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
