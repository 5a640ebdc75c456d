package adminuser_test

import (
	"context"
	"encoding/json"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
)

// checkInvariants holds for every AdminUser whenever the controller is done with it.
func (b *bench) checkInvariants(ctx context.Context, name string) {
	GinkgoHelper()
	user := &v1alpha1.AdminUser{}
	if err := plane.Client.Get(ctx, b.name(name), user); err != nil {
		Expect(client.IgnoreNotFound(err)).To(Succeed())
		return
	}
	Expect(kit.CheckAtRest(user)).To(Succeed())
	b.checkNoPlaintext(ctx, user)
}

// checkNoPlaintext: no key that is in a Secret stands anywhere in the object or in the events.
func (b *bench) checkNoPlaintext(ctx context.Context, user *v1alpha1.AdminUser) {
	GinkgoHelper()
	var secrets corev1.SecretList
	Expect(plane.Client.List(ctx, &secrets, client.InNamespace(b.namespace))).To(Succeed())
	object, err := json.Marshal(user)
	Expect(err).NotTo(HaveOccurred())
	told := strings.Join(b.events.Peek(), "\n")
	for _, s := range secrets.Items {
		if plaintext := string(s.Data[v1alpha1.SecretKey]); len(plaintext) >= 16 {
			Expect(strings.Contains(string(object), plaintext)).To(BeFalse(), "plaintext in the object")
			Expect(strings.Contains(told, plaintext)).To(BeFalse(), "plaintext in an event")
		}
	}
}
