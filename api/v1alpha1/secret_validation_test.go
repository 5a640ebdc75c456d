package v1alpha1_test

import (
	"encoding/json"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
)

// Refusals of names that Kubernetes gives a meaning.
const (
	kubernetesLabels = "spec.secret.labels: Invalid value: labels under kubernetes.io/ and k8s.io/ are Kubernetes' own"
	kubernetesNotes  = "spec.secret.annotations: Invalid value: annotations under kubernetes.io/ and k8s.io/ are " +
		"Kubernetes' own"
)

// kubernetesNames have a meaning for Kubernetes or its tools, or may get one.
var kubernetesNames = []string{
	"kubernetes.io/service-account.name", "kubernetes.io/service-account.uid", "kubernetes.io/legacy-token-last-used",
	"kubernetes.io/enforce-mountable-secrets", "kubernetes.io/x", "k8s.io/x", "node.kubernetes.io/x",
	"rbac.kubernetes.io/x",
	"kubectl.kubernetes.io/last-applied-configuration", "config.k8s.io/owning-inventory", "a.b.k8s.io/x",
	"applyset.kubernetes.io/part-of", "internal.config.kubernetes.io/previousNames",
}

// ordinaryNames only look like those.
var ordinaryNames = []string{
	"argocd.argoproj.io/secret-type", "reflector.v1.k8s.emberstack.com/x", "notkubernetes.io/x", "my-k8s.io/x",
	"kubernetes.io.example.com/x", "kubernetes.iox/x", "kubernetes.io", "k8s.io", "team", "not-keywright.dev/x",
}

var _ = Describe("The Secret", func() {
	for _, holder := range keyHolders {
		refuses := func(ctx SpecContext, spec string, want ...string) {
			GinkgoHelper()
			_, err := holder.try(ctx, "uu", holder.spec(spec))
			Expect(complaints(err)).To(ConsistOf(want))
		}
		accepts := func(ctx SpecContext, spec string) {
			GinkgoHelper()
			_, err := holder.try(ctx, "uu", holder.spec(spec))
			Expect(err).NotTo(HaveOccurred())
		}

		for _, name := range kubernetesNames {
			It("of an "+holder.name+" never has the label or annotation "+name, func(ctx SpecContext) {
				refuses(ctx, annotations(name, "x"), kubernetesNotes)
				refuses(ctx, labels(name, "x"), kubernetesLabels)
			})
		}
		for _, name := range ordinaryNames {
			It("of an "+holder.name+" may have the label or annotation "+name, func(ctx SpecContext) {
				accepts(ctx, annotations(name, "x"))
				accepts(ctx, labels(name, "x"))
			})
		}

		It("of an "+holder.name+" may have the recommended labels, but for the one of its manager", func(ctx SpecContext) {
			for _, name := range []string{"name", "instance", "version", "component", "part-of"} {
				accepts(ctx, labels("app.kubernetes.io/"+name, "x"))
			}
			refuses(ctx, labels("app.kubernetes.io/managed-by", "Helm"), ourLabels)
			refuses(ctx, labels("app.kubernetes.io/managed-by", "keywright"), ourLabels)
			refuses(ctx, labels("x.app.kubernetes.io/name", "x"), kubernetesLabels)
			refuses(ctx, annotations("app.kubernetes.io/name", "x"), kubernetesNotes)
		})

		It("of an "+holder.name+" is deleted with it, or left behind", func(ctx SpecContext) {
			accepts(ctx, `{"secret":{"deletionPolicy":"Delete"}}`)
			accepts(ctx, `{"secret":{"deletionPolicy":"Orphan"}}`)
		})
	}

	It("of an AdminUser has neither a type nor further entries", func(ctx SpecContext) {
		for _, field := range []string{`"type":"Opaque"`, `"stringData":{"url":"x"}`} {
			stored, err := adminUser.try(ctx, "uu", `{"secret":{`+field+`}}`)
			Expect(err).NotTo(HaveOccurred())
			Expect(stored.Object["spec"]).To(HaveKeyWithValue("secret", And(Not(HaveKey("type")), Not(HaveKey("stringData")))))
		}
	})
})

// kubernetesTypes are types of Secrets that Kubernetes acts on, and ways to write something like them.
var kubernetesTypes = []v1alpha1.SecretType{
	"kubernetes.io/service-account-token", "kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson",
	"kubernetes.io/ssh-auth", "kubernetes.io/tls", "bootstrap.kubernetes.io/token", "kubernetes.io/x", "k8s.io/x",
	"anything.k8s.io/x", "a.b.kubernetes.io/x", "helm.sh.k8s.io/release.v1",
	"KUBERNETES.IO/service-account-token", "Kubernetes.io/service-account-token", "kubernetes.IO/tls",
	"kubernetes.io/service-account-token ", " kubernetes.io/service-account-token",
	"kubernetes.io/service-account-token\n", "\tkubernetes.io/tls", "kubernetes.io/service-account-token\x00",
	"kubernetes.io./service-account-token", ".kubernetes.io/tls", "kubernetes.io//service-account-token",
	"/kubernetes.io/tls", "example.com/kubernetes.io/tls", "kubernetes.io/basic-auth ", "kubernetes.io/basic-auth\n",
	"kubernetes.io/Basic-Auth", "kubernetes.io/basic-auth/x", "kubernetеs.io/tls", "kubernetes。io/tls",
}

// brokenTypes have no valid form.
var brokenTypes = []v1alpha1.SecretType{
	"", " ", "opaque", "OPAQUE", "Opaque ", "Opaque\n", "helm", "example/x", "example.com", "example.com/", "/x",
	"example.com/x/y", "example.com/-x", "example.com/x-", "example.com/x y", "Example.com/x", "-example.com/x",
	"example-.com/x", "example..com/x", "example.com:443/x", "exämple.com/x", "example.com/ä", "*",
}

var ordinaryTypes = []v1alpha1.SecretType{
	"Opaque", "example.com/x", "helm.sh/release.v1", "a.b-c.d/X_y.Z-1", "0.1/2", "notkubernetes.io/x", "my-k8s.io/token",
	"kubernetes.io.example.com/tls", "kubernetes.iox/x", "example.com/kubernetes.io",
	"cluster.x-k8s.io.example.com/secret",
	v1alpha1.SecretType("example.com/" + strings.Repeat("x", 241)),
}

func secretOfType(t v1alpha1.SecretType) string {
	quoted, _ := json.Marshal(t)
	return ci(fmt.Sprintf(`{"secret":{"type":%s}}`, quoted))
}

var _ = Describe("The Secret's type", func() {
	for _, kinds := range [][]v1alpha1.SecretType{kubernetesTypes, brokenTypes} {
		for _, refused := range kinds {
			It(fmt.Sprintf("is not %q", refused), func(ctx SpecContext) {
				_, err := apiKey.try(ctx, "kk", secretOfType(refused))
				Expect(complaints(err)).To(ConsistOf(And(HavePrefix("spec.secret.type: Invalid value: "),
					HaveSuffix(`: must be Opaque, kubernetes.io/basic-auth, or a type such as example.com/token of a domain `+
						`that is not Kubernetes' own`))))
				Expect(lifecycle.AllowsSecretType(string(refused))).To(BeFalse(), "the operator refuses it, too")
			})
		}
	}
	for _, accepted := range ordinaryTypes {
		It(fmt.Sprintf("may be %q", accepted), func(ctx SpecContext) {
			_, err := apiKey.try(ctx, "kk", secretOfType(accepted))
			Expect(err).NotTo(HaveOccurred())
			Expect(lifecycle.AllowsSecretType(string(accepted))).To(BeTrue())
		})
	}

	It("has at most 253 characters", func(ctx SpecContext) {
		long := v1alpha1.SecretType("example.com/" + strings.Repeat("x", 242))
		_, err := apiKey.try(ctx, "kk", secretOfType(long))
		Expect(complaints(err)).To(ConsistOf("spec.secret.type: Too long: may not be more than 253 bytes"))
		Expect(lifecycle.AllowsSecretType(string(long))).To(BeFalse())
	})

	It("kubernetes.io/basic-auth has the key in entry password", func(ctx SpecContext) {
		const refused = "spec.secret.dataKey: Invalid value: must be password: that entry of a Secret of type " +
			"kubernetes.io/basic-auth holds the key"
		for _, spec := range []string{
			`{"type":"kubernetes.io/basic-auth"}`, `{"type":"kubernetes.io/basic-auth","dataKey":"token"}`,
			`{"type":"kubernetes.io/basic-auth","stringData":{"password":"x"}}`,
		} {
			_, err := apiKey.try(ctx, "kk", ci(`{"secret":`+spec+`}`))
			Expect(complaints(err)).To(ConsistOf(refused), spec)
		}
		_, err := apiKey.try(ctx, "kk", ci(`{"secret":{"type":"kubernetes.io/basic-auth","dataKey":"password",`+
			`"stringData":{"username":"git"}}}`))
		Expect(err).NotTo(HaveOccurred())
	})
})

var _ = DescribeTable("The further entries of a Secret are refused:",
	func(ctx SpecContext, secret string, want ...string) {
		_, err := apiKey.try(ctx, "kk", ci(`{"secret":{`+secret+`}}`))
		Expect(complaints(err)).To(ConsistOf(want))
	},
	Entry("the entry of the key", stringData("key"), entryOfKey),
	Entry("the entry of the key under another name", `"dataKey":"token",`+stringData("token"), entryOfKey),
	Entry("the subject", stringData("subject"), entryOfSubject),
	Entry("a name that is empty", stringData(""), badEntry),
	Entry("a name with a slash", stringData("a/b"), badEntry),
	Entry("a name with a space", stringData("a b"), badEntry),
	Entry("a name with a line end", stringData("a\n"), badEntry),
	Entry("a name beyond ASCII", stringData("ké"), badEntry),
	Entry("a name of one dot", stringData("."), badEntry),
	Entry("a name of two dots", stringData(".."), badEntry),
	Entry("a name that begins with two dots", stringData("..data"), badEntry),
	Entry("a name too long", stringData(strings.Repeat("k", 254)), badEntry),
	Entry("17 entries", stringData(numbered("entry", 17)...),
		"spec.secret.stringData: Too many: 17: must have at most 16 items"),
	Entry("a value too long", fmt.Sprintf(`"stringData":{"a":%q}`, strings.Repeat("x", 4097)),
		"spec.secret.stringData.a: Too long: may not be more than 4096 bytes"),
	Entry("a value as a number", `"stringData":{"a":1}`, `spec.secret.stringData.a: Invalid value: "integer": spec.secret.stringData.a in body must be of type string: "integer"`),
)

const (
	entryOfKey     = "spec.secret.stringData: Invalid value: the entry of dataKey holds the key"
	entryOfSubject = "spec.secret.stringData: Invalid value: entry subject says whom the key speaks as"
	badEntry       = "spec.secret.stringData: Invalid value: must be names of a Secret's entries: letters, digits, '-', " +
		"'_' and '.'"
)

func stringData(names ...string) string {
	entries := map[string]string{}
	for _, name := range names {
		entries[name] = "x"
	}
	written, _ := json.Marshal(entries)
	return `"stringData":` + string(written)
}

var _ = DescribeTable("The further entries of a Secret are accepted:",
	func(ctx SpecContext, secret string) {
		_, err := apiKey.try(ctx, "kk", ci(`{"secret":{`+secret+`}}`))
		Expect(err).NotTo(HaveOccurred())
	},
	Entry("none", `"stringData":{}`),
	Entry("the user name of a repository", stringData("username", "url")),
	Entry("key, where another entry holds the key", `"dataKey":"token",`+stringData("key")),
	Entry("names with every kind of character", stringData("API_KEY-1.txt", ".hidden", "a..b")),
	Entry("a name at its longest", stringData(strings.Repeat("k", 253))),
	Entry("a value of several lines", `"stringData":{"a":"b\nc\n"}`),
	Entry("a value that is empty", `"stringData":{"a":""}`),
	Entry("16 entries at their longest", fmt.Sprintf(`"stringData":{%s}`, longEntries())),
)

func longEntries() string {
	entries := make([]string, 16)
	for i := range entries {
		entries[i] = fmt.Sprintf(`"e%d":%q`, i, strings.Repeat("x", 4096))
	}
	return strings.Join(entries, ",")
}
