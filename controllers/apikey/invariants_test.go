package apikey_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
)

// checkInvariants holds for every APIKey whenever the controller is done with it.
func (b *bench) checkInvariants(ctx context.Context, name string) {
	GinkgoHelper()
	k := &v1alpha1.APIKey{}
	if err := plane.Client.Get(ctx, b.name(name), k); err != nil {
		Expect(client.IgnoreNotFound(err)).To(Succeed())
		return
	}
	Expect(kit.CheckAtRest(k)).To(Succeed())
	for _, recorded := range k.Status.Keys {
		Expect(recorded.Pending).To(BeFalse(), "a key on its way while nothing is being done")
	}
	b.checkNoPlaintext(ctx, k)
}

// checkNoPlaintext: no key that is in a Secret now, or was at any time before, stands in the object or in an event.
func (b *bench) checkNoPlaintext(ctx context.Context, k *v1alpha1.APIKey) {
	GinkgoHelper()
	var secrets corev1.SecretList
	Expect(plane.Client.List(ctx, &secrets, client.InNamespace(b.namespace))).To(Succeed())
	for _, s := range secrets.Items {
		for entry, value := range s.Data {
			if len(value) >= 16 && entry != v1alpha1.SecretSubject {
				b.seen[string(value)] = true
			}
		}
	}
	object, err := json.Marshal(k)
	Expect(err).NotTo(HaveOccurred())
	public := string(object) + strings.Join(b.events.Peek(), "\n")
	for plaintext := range b.seen {
		Expect(strings.Contains(public, plaintext)).To(BeFalse(), "plaintext in the object or in an event")
		encoded := base64.StdEncoding.EncodeToString([]byte(plaintext))
		Expect(strings.Contains(public, encoded)).To(BeFalse(), "plaintext in base64 in the object or in an event")
	}
}
