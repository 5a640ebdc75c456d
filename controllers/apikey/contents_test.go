package apikey_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/controllers/apikey"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/operator/issuer"
	"keywright.dev/keywright/test/kit"
)

// repository asks for the credential of a Git repository, as Flux and Argo CD read it. Its entries are shorter than any
// key: a longer one would be taken for a key that is visible in the spec.
func repository(k *v1alpha1.APIKey) {
	withSecret(func(s *v1alpha1.APIKeySecret) {
		s.Type, s.DataKey = v1alpha1.SecretTypeBasicAuth, "password"
		s.StringData = map[string]v1alpha1.EntryValue{"username": "git", "url": "https://git/app"}
		s.Labels = map[string]v1alpha1.LabelValue{"argocd.argoproj.io/secret-type": "repository"}
	})(k)
}

func withType(t v1alpha1.SecretType) func(*v1alpha1.APIKey) {
	return withSecret(func(s *v1alpha1.APIKeySecret) { s.Type = t })
}

func withEntries(entries map[string]v1alpha1.EntryValue) func(*v1alpha1.APIKey) {
	return withSecret(func(s *v1alpha1.APIKeySecret) { s.StringData = entries })
}

// entriesOf returns the entries of a Secret, without the key in entry key.
func entriesOf(s *corev1.Secret, key string) map[string]string {
	entries := map[string]string{}
	for name, value := range s.Data {
		if name != key {
			entries[name] = string(value)
		}
	}
	return entries
}

// errRead is the error of a read of a Secret's content.
var errRead = errors.New("the content of a Secret was read")

// blindReader refuses to read the content of a Secret.
type blindReader struct{ client.Reader }

func (r blindReader) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if _, isSecret := o.(*corev1.Secret); isSecret {
		return errRead
	}
	return r.Reader.Get(ctx, key, o, opts...)
}

// reconcileBlind reconciles a key without reading the content of its Secret, and returns the number of writes.
func (e *env) reconcileBlind(ctx context.Context, name string) (writes int) {
	GinkgoHelper()
	i := e.Issuer()
	i.Client, i.Live = kit.CountWrites(suite.Cached, &writes), blindReader{e.Plane.Client}
	controller := &apikey.Reconciler{Client: suite.Cached, Issuer: i, System: e.System}
	_, err := controller.Reconcile(ctx, reconcile.Request{NamespacedName: e.Key(name)})
	Expect(err).NotTo(HaveOccurred())
	return writes
}

var _ = Describe("The type of a Secret", func() {
	It("may be the one of a repository's credential", func(ctx SpecContext) {
		e := newEnv(ctx)
		expectConditions(e.Apply(ctx, "ci", repository), "True/Issued", "True/Accepted")
		s := e.Secret(ctx, "ci-api-key")
		Expect(s.Type).To(Equal(corev1.SecretTypeBasicAuth))
		Expect(e.Accepted(ctx, "ci", string(s.Data["password"]))).To(BeTrue())
		Expect(entriesOf(s, "password")).To(Equal(map[string]string{
			"username": "git", "url": "https://git/app", "subject": "Account/ci",
		}))
		Expect(s.Labels).To(HaveKeyWithValue("argocd.argoproj.io/secret-type", "repository"))

		e.Change(ctx, "ci", rotate("1"), overlap("0s"))
		rotated := e.Secret(ctx, "ci-api-key")
		Expect(rotated.UID).To(Equal(s.UID))
		Expect(rotated.Type).To(Equal(corev1.SecretTypeBasicAuth))
		Expect(e.Accepted(ctx, "ci", string(rotated.Data["password"]))).To(BeTrue())
		Expect(entriesOf(rotated, "password")).To(Equal(entriesOf(s, "password")))
	})

	It("is that of the sample, with its entries", func(ctx SpecContext) {
		e, k := newEnv(ctx), &v1alpha1.APIKey{}
		sample, err := os.ReadFile("../../config/samples/apikey_flux.yaml")
		Expect(err).NotTo(HaveOccurred())
		Expect(yaml.UnmarshalStrict(sample, k)).To(Succeed())
		k.Namespace = e.Namespace
		Expect(suite.Cached.Create(ctx, k)).To(Succeed())
		Expect(e.reconcileBlind(ctx, k.Name)).To(Equal(3))
		s := e.Secret(ctx, k.Spec.Secret.Name)
		Expect(s.Type).To(Equal(corev1.SecretTypeBasicAuth))
		Expect(e.Accepted(ctx, k.Name, string(s.Data[corev1.BasicAuthPasswordKey]))).To(BeTrue())
		Expect(s.Data).To(HaveKeyWithValue(corev1.BasicAuthUsernameKey, []byte("git")))
	})

	It("changes with the name", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci")
		e.Change(ctx, "ci", repository, withSecret(func(s *v1alpha1.APIKeySecret) { s.Name = "repository" }))
		Expect(e.Secret(ctx, "repository").Type).To(Equal(corev1.SecretTypeBasicAuth))
		e.NoSecret(ctx, "ci-api-key")
	})

	// An admission policy refuses this change. The operator copes with it where the policy is missing.
	for what, c := range map[string]struct {
		before, after func(*v1alpha1.APIKey)
		entry         string
	}{
		"from Opaque":        {func(*v1alpha1.APIKey) {}, repository, "password"},
		"to Opaque":          {repository, withSecret(func(s *v1alpha1.APIKeySecret) { s.Type = "" }), "password"},
		"between two others": {withType("example.com/a"), withType("example.com/b"), "key"},
	} {
		It("changes under the same name with a new key and a new Secret: "+what, func(ctx SpecContext) {
			e := newEnv(ctx)
			before := e.Apply(ctx, "ci", c.before, overlap("1h"))
			old := e.Secret(ctx, "ci-api-key")
			k := e.Change(ctx, "ci", c.after)
			expectConditions(k, "True/Issued", "True/Accepted")
			s := e.Secret(ctx, "ci-api-key")
			Expect(s.UID).NotTo(Equal(old.UID))
			Expect(s.Type).To(Equal(typeOf(k)))
			Expect(e.Accepted(ctx, "ci", string(s.Data[c.entry]))).To(BeTrue())
			Expect(k.Status.Keys).To(HaveLen(2), "the old key is in its overlap")
			Expect(k.Status.Keys).To(ContainElement(HaveField("ID", before.Status.Keys[0].ID)))
			e.Reconcile(ctx, "ci")
			Expect(e.Get(ctx, "ci").ResourceVersion).To(Equal(k.ResourceVersion))
			Expect(e.Secret(ctx, "ci-api-key").ResourceVersion).To(Equal(s.ResourceVersion))
		})

		for stop := 1; stop <= 4; stop++ {
			It("changes under the same name in spite of a crash: "+what, func(ctx SpecContext) {
				e := newEnv(ctx)
				e.Apply(ctx, "ci", c.before)
				e.Edit(ctx, "ci", c.after)
				e.Client = kit.CrashAfter(suite.Cached, stop, new(int))
				_, err := e.NewReconciler().Reconcile(ctx, reconcile.Request{NamespacedName: e.Key("ci")})
				Expect(err).To(MatchError(kit.ErrCrash))
				e.Client = suite.Cached
				e.Reconcile(ctx, "ci")
				k, s := e.Get(ctx, "ci"), e.Secret(ctx, "ci-api-key")
				expectConditions(k, "True/Issued", "True/Accepted")
				Expect(s.Type).To(Equal(typeOf(k)))
				Expect(e.Accepted(ctx, "ci", string(s.Data[c.entry]))).To(BeTrue())
			})
		}
	}

	It("is found to be another one by the API server alone, where status and record were lost", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci", withType("example.com/a"))
		old := e.Secret(ctx, "ci-api-key")
		e.EditSecret(ctx, "ci-api-key", func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.AnnotationContents) })
		e.Edit(ctx, "ci", withType("example.com/b"))
		k := e.EditStatus(ctx, "ci", func(s *v1alpha1.KeyHolderStatus) { *s = v1alpha1.KeyHolderStatus{} })
		expectConditions(k, "True/Issued", "True/Accepted")
		Expect(e.Secret(ctx, "ci-api-key").Type).To(Equal(corev1.SecretType("example.com/b")))
		Expect(e.Secret(ctx, "ci-api-key").UID).NotTo(Equal(old.UID))
	})

	It("is proven again after another writer has removed the record of it", func(ctx SpecContext) {
		e := newEnv(ctx)
		k := e.Apply(ctx, "ci", repository)
		before := e.Secret(ctx, "ci-api-key")
		e.EditSecret(ctx, "ci-api-key", func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.AnnotationContents) })
		e.Reconcile(ctx, "ci")
		after := e.Secret(ctx, "ci-api-key")
		Expect(after.Data).To(Equal(before.Data))
		Expect(after.Annotations).To(Equal(before.Annotations))
		Expect(e.Get(ctx, "ci").Status.Keys).To(Equal(k.Status.Keys))
	})
})

// typeOf returns the type that a key asks for.
func typeOf(k *v1alpha1.APIKey) corev1.SecretType { return corev1.SecretType(k.Spec.Secret.Type) }

var _ = Describe("The type of a Secret that was handed over", func() {
	handOver := func(ctx context.Context, e *env, secretType corev1.SecretType) {
		GinkgoHelper()
		s := &corev1.Secret{Type: secretType, Data: map[string][]byte{"password": []byte(e.Brought())}}
		s.Namespace, s.Name = e.Namespace, "ci-api-key"
		s.Annotations = map[string]string{v1alpha1.AnnotationAdopt: "true"}
		Expect(e.Plane.Client.Create(ctx, s)).To(Succeed())
	}
	inPassword := withSecret(func(s *v1alpha1.APIKeySecret) { s.DataKey = "password" })

	for secretType, spec := range map[corev1.SecretType]func(*v1alpha1.APIKey){
		"Opaque": inPassword, corev1.SecretTypeBasicAuth: repository, "example.com/a": inPassword,
	} {
		It("stays: "+string(secretType), func(ctx SpecContext) {
			e := newEnv(ctx)
			handOver(ctx, e, secretType)
			expectConditions(e.Apply(ctx, "ci", spec), "True/Issued", "True/Accepted")
			Expect(e.Accepted(ctx, "ci", e.Brought())).To(BeTrue())
			e.Change(ctx, "ci", rotate("1"))
			Expect(e.Secret(ctx, "ci-api-key").Type).To(Equal(secretType))
		})
	}

	It("is not changed, and the message says so", func(ctx SpecContext) {
		e := newEnv(ctx)
		handOver(ctx, e, "example.com/a")
		e.Apply(ctx, "ci", repository)
		k := e.PassGrace(ctx, "ci")
		expectConditions(k, "False/SecretConflict", "False/NoKey")
		Expect(condition(k, "Stalled")).To(Equal("True/SecretConflict"))
		Expect(message(k, "Stalled")).To(Equal("Secret ci-api-key was handed over with type example.com/a, which can't be " +
			"changed to kubernetes.io/basic-auth: set spec.secret.type to example.com/a, or name another Secret in " +
			"spec.secret.name. Keywright checks it again every minute."))
		before := e.Secret(ctx, "ci-api-key")
		Expect(e.Reconcile(ctx, "ci")).To(Equal(time.Minute))
		Expect(e.Secret(ctx, "ci-api-key").ResourceVersion).To(Equal(before.ResourceVersion))
		Expect(e.Get(ctx, "ci").ResourceVersion).To(Equal(k.ResourceVersion))

		k = e.Change(ctx, "ci", withType("example.com/a"), inPassword)
		expectConditions(k, "True/Issued", "True/Accepted")
		Expect(e.Accepted(ctx, "ci", e.Brought())).To(BeTrue())
	})

	It("keeps its Secret when another type is asked for later", func(ctx SpecContext) {
		e := newEnv(ctx)
		handOver(ctx, e, "Opaque")
		before := e.Apply(ctx, "ci", inPassword)
		s := e.Secret(ctx, "ci-api-key")
		e.Change(ctx, "ci", withType("example.com/a"))
		k := e.PassGrace(ctx, "ci")
		expectConditions(k, "False/SecretConflict", "True/Accepted")
		Expect(k.Status.Keys).To(Equal(before.Status.Keys))
		Expect(e.Secret(ctx, "ci-api-key").UID).To(Equal(s.UID))
		Expect(e.Secret(ctx, "ci-api-key").ResourceVersion).To(Equal(s.ResourceVersion))
		Expect(e.Reconcile(ctx, "ci")).To(Equal(time.Minute))
		Expect(e.Get(ctx, "ci").ResourceVersion).To(Equal(k.ResourceVersion))
		expectConditions(e.Change(ctx, "ci", withType("Opaque")), "True/Issued", "True/Accepted")
	})
})

var _ = Describe("The further entries of a Secret", func() {
	const url, newURL = "https://git/app", "https://git/new"

	It("change without a new key, and without reading the key", func(ctx SpecContext) {
		e := newEnv(ctx)
		k := e.Apply(ctx, "ci", withEntries(map[string]v1alpha1.EntryValue{"url": url, "project": "x", "same": "1"}))
		before := e.Secret(ctx, "ci-api-key")
		for _, entries := range []map[string]v1alpha1.EntryValue{
			{"url": newURL, "project": "x", "same": "1"}, {"url": newURL, "same": "1", "username": "git"}, {"same": "1"}, nil,
			{"url": url},
		} {
			e.Edit(ctx, "ci", withEntries(entries))
			Expect(e.reconcileBlind(ctx, "ci")).To(BeNumerically(">=", 1))
			Expect(e.reconcileBlind(ctx, "ci")).To(BeZero(), "at rest")
			s := e.Secret(ctx, "ci-api-key")
			want := map[string]string{"subject": "Account/ci"}
			for name, value := range entries {
				want[name] = string(value)
			}
			Expect(entriesOf(s, "key")).To(Equal(want))
			Expect(s.Data["key"]).To(Equal(before.Data["key"]))
			Expect(s.UID).To(Equal(before.UID))
			expectConditions(e.Get(ctx, "ci"), "True/Issued", "True/Accepted")
			Expect(e.Get(ctx, "ci").Status.Keys).To(Equal(k.Status.Keys))
		}
		e.DeleteSecret(ctx, "ci-api-key")
		e.Reconcile(ctx, "ci")
		Expect(entriesOf(e.Secret(ctx, "ci-api-key"), "key")).To(
			Equal(map[string]string{"subject": "Account/ci", "url": url}))
	})

	It("leave with the next key what an earlier change has added", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci", withEntries(map[string]v1alpha1.EntryValue{"first": "1"}))
		e.Change(ctx, "ci", withEntries(map[string]v1alpha1.EntryValue{"first": "1", "second": "2"}))
		e.Change(ctx, "ci", withEntries(map[string]v1alpha1.EntryValue{"third": "3"}), rotate("1"))
		e.Reconcile(ctx, "ci")
		Expect(entriesOf(e.Secret(ctx, "ci-api-key"), "key")).To(
			Equal(map[string]string{"subject": "Account/ci", "third": "3"}))
		Expect(e.Accepted(ctx, "ci", e.Plaintext(ctx, "ci-api-key"))).To(BeTrue())
	})

	It("are written again, with the same key, after another writer has changed one", func(ctx SpecContext) {
		for _, policy := range []v1alpha1.ReissuePolicy{v1alpha1.ReissueIfLost, v1alpha1.ReissueNever} {
			e := newEnv(ctx)
			k := e.Apply(ctx, "ci", repository, withSecret(func(s *v1alpha1.APIKeySecret) { s.ReissuePolicy = policy }))
			before := e.Secret(ctx, "ci-api-key")
			for _, change := range []func(*corev1.Secret){
				func(s *corev1.Secret) { s.Data["url"] = []byte("https://evil/") },
				func(s *corev1.Secret) { delete(s.Data, "username") },
				func(s *corev1.Secret) { s.Data["subject"] = []byte("User/root") },
				func(s *corev1.Secret) {
					s.Data["url"], s.Annotations[v1alpha1.AnnotationContents] = []byte("https://evil/"), "x y z"
				},
			} {
				e.EditSecret(ctx, "ci-api-key", change)
				e.Reconcile(ctx, "ci")
				Expect(e.Secret(ctx, "ci-api-key").Data).To(Equal(before.Data))
				Expect(e.Secret(ctx, "ci-api-key").Annotations).To(Equal(before.Annotations))
				Expect(e.Get(ctx, "ci").Status.Keys).To(Equal(k.Status.Keys))
			}
		}
	})

	It("take back what another writer had set to the same value, and leave the entries of others", func(ctx SpecContext) {
		e := newEnv(ctx)
		k := e.Apply(ctx, "ci")
		e.EditSecret(ctx, "ci-api-key", func(s *corev1.Secret) {
			s.Data["url"], s.Data["theirs"] = []byte(url), []byte("stays")
		})
		for _, entries := range []map[string]v1alpha1.EntryValue{{"url": url}, {"url": newURL}, nil} {
			e.Change(ctx, "ci", withEntries(entries))
			want := map[string]string{"subject": "Account/ci", "theirs": "stays"}
			for name, value := range entries {
				want[name] = string(value)
			}
			got := entriesOf(e.Secret(ctx, "ci-api-key"), "key")
			if entries == nil {
				// The API server attributes an entry to everybody who has set it to its present value.
				delete(got, "url")
			}
			Expect(got).To(Equal(want))
			Expect(e.Get(ctx, "ci").Status.Keys).To(Equal(k.Status.Keys))
		}
	})

	It("follow the spec also in a Secret that has lost its key", func(ctx SpecContext) {
		e := newEnv(ctx)
		k := e.Apply(ctx, "ci", withSecret(func(s *v1alpha1.APIKeySecret) { s.ReissuePolicy = v1alpha1.ReissueNever }))
		e.EditSecret(ctx, "ci-api-key", func(s *corev1.Secret) {
			s.Data["key"], s.ManagedFields = []byte(e.Brought()), nil
		})
		expectConditions(e.Change(ctx, "ci", withEntries(map[string]v1alpha1.EntryValue{"url": url})),
			"True/SecretGone", "True/Accepted")
		e.Reconcile(ctx, "ci")
		Expect(e.Secret(ctx, "ci-api-key").Data).To(HaveKeyWithValue("url", []byte(url)))
		Expect(e.Get(ctx, "ci").Status.Keys).To(Equal(k.Status.Keys))
	})

	It("may swap places with the key, which is a new one then", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci", withEntries(map[string]v1alpha1.EntryValue{"token": "x"}), overlap("0s"))
		old := e.Plaintext(ctx, "ci-api-key")
		swap := func(key string, entries map[string]v1alpha1.EntryValue) {
			e.Change(ctx, "ci", withEntries(entries), withSecret(func(s *v1alpha1.APIKeySecret) { s.DataKey = key }))
			e.Reconcile(ctx, "ci")
			s := e.Secret(ctx, "ci-api-key")
			fresh := string(s.Data[key])
			Expect(e.Accepted(ctx, "ci", fresh)).To(BeTrue())
			Expect(e.Accepted(ctx, "ci", old)).To(BeFalse())
			want := map[string]string{"subject": "Account/ci"}
			for name, value := range entries {
				want[name] = string(value)
			}
			Expect(entriesOf(s, key)).To(Equal(want))
			old = fresh
		}
		swap("token", map[string]v1alpha1.EntryValue{"key": "y"})
		swap("key", nil)
		swap("token", map[string]v1alpha1.EntryValue{"key": "z", "more": "1"})
	})

	It("need one write, whatever the crash", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci", withEntries(map[string]v1alpha1.EntryValue{"url": url, "gone": "x"}))
		before := e.Secret(ctx, "ci-api-key")
		e.Edit(ctx, "ci", withEntries(map[string]v1alpha1.EntryValue{"url": newURL, "added": "x"}))
		e.Client = kit.CrashAfter(suite.Cached, 1, new(int))
		_, err := e.NewReconciler().Reconcile(ctx, reconcile.Request{NamespacedName: e.Key("ci")})
		Expect(err).To(MatchError(kit.ErrCrash))
		e.Client = suite.Cached
		e.Reconcile(ctx, "ci")
		want := maps.Clone(before.Data)
		delete(want, "gone")
		want["url"], want["added"] = []byte(newURL), []byte("x")
		Expect(e.Secret(ctx, "ci-api-key").Data).To(Equal(want))
	})
})

var _ = Describe("A type of Kubernetes itself", func() {
	// The CRD refuses it. The operator refuses to write it where the CRD in the cluster lacks the rule.
	It("is never written", func(ctx SpecContext) {
		for _, secretType := range []v1alpha1.SecretType{
			"kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token", "kubernetes.io/tls",
		} {
			e := newEnv(ctx)
			k := e.Create(ctx, "ci")
			target := func() *issuer.Target {
				return &issuer.Target{Object: k, Spec: convert.Spec(k), Secret: issuer.Template{
					Type: secretType, Annotations: map[string]string{"kubernetes.io/service-account.name": "default"},
				}}
			}
			_, err := e.Issuer().Run(ctx, target())
			Expect(err).NotTo(HaveOccurred())
			e.NoSecret(ctx, "ci-api-key")
			k = e.Get(ctx, "ci")
			expectConditions(k, "False/ForbiddenType", "False/NoKey")
			Expect(message(k, "Stalled")).To(Equal("spec.secret.type " + string(secretType) + " is a type of Kubernetes " +
				"itself, which may be a credential: write Opaque, kubernetes.io/basic-auth, or a type of another domain."))
			Expect(k.Status.Keys).To(BeEmpty())
		}
	})
})
