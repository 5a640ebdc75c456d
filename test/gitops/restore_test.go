package gitops

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// backup is a tool's backup of an AdminUser.
type backup struct {
	user   *v1alpha1.AdminUser
	secret *corev1.Secret
}

// lose takes a backup, deletes everything, and leaves the operator stopped until the spec ends.
func lose(ctx SpecContext, user *v1alpha1.AdminUser) backup {
	GinkgoHelper()
	Expect(s.Client.Create(ctx, user)).To(Succeed())
	b := backup{settled(ctx, user.Name), &corev1.Secret{}}
	Expect(s.Client.Get(ctx, key(user.Name+"-admin-key"), b.secret)).To(Succeed())
	Eventually(answer(ctx, b.key())).Should(Equal(200))
	Expect(s.Client.Delete(ctx, b.user.DeepCopy())).To(Succeed())
	Eventually(func() bool {
		return apierrors.IsNotFound(s.Client.Get(ctx, key(user.Name), &v1alpha1.AdminUser{})) &&
			apierrors.IsNotFound(s.Client.Get(ctx, key(b.secret.Name), &corev1.Secret{}))
	}).WithTimeout(10 * time.Second).Should(BeTrue())
	Eventually(answer(ctx, b.key())).Should(Equal(401))
	Expect(s.Operator.Stop()).To(Succeed())
	return b
}

func (b backup) key() string { return string(b.secret.Data[v1alpha1.SecretKey]) }

// restoreObject creates the object again. A tool that restores status does so in a second write, to the subresource.
func (b backup) restoreObject(ctx SpecContext, withStatus bool) {
	GinkgoHelper()
	user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: b.user.Namespace, Name: b.user.Name},
		Spec: b.user.Spec}
	Expect(s.Client.Create(ctx, user)).To(Succeed())
	if withStatus {
		user.Status = b.user.Status
		Expect(s.Client.Status().Update(ctx, user)).To(Succeed())
	}
}

// restoreSecret restores the Secret as the page describes: annotated and without its former owner.
func (b backup) restoreSecret(ctx SpecContext) {
	GinkgoHelper()
	annotations := map[string]string{v1alpha1.AnnotationAdopt: "true"}
	for name, value := range b.secret.Annotations {
		annotations[name] = value
	}
	Expect(s.Client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.secret.Namespace, Name: b.secret.Name, Labels: b.secret.Labels,
			Annotations: annotations},
		Data: b.secret.Data,
	}, client.FieldOwner("velero"))).To(Succeed())
}

var _ = Describe("A restore", Serial, func() {
	keep := func(stem string) *v1alpha1.AdminUser { return admin(name(stem)) }
	reissue := func(stem string) *v1alpha1.AdminUser {
		user := admin(name(stem))
		user.Spec.Secret = &v1alpha1.AdminUserSecret{ReissuePolicy: v1alpha1.ReissueIfLost}
		return user
	}
	for what, restore := range map[string]struct {
		user           func(string) *v1alpha1.AdminUser
		status, secret bool
		survives       bool
	}{
		"of the status alone":                {keep, true, false, true},
		"of status and Secret":               {keep, true, true, true},
		"of status and Secret, under IfLost": {reissue, true, true, true},
		"of the Secret alone":                {keep, false, true, true},
		"of the Secret alone, under IfLost":  {reissue, false, true, true},
		"of the manifest alone":              {keep, false, false, false},
	} {
		survival := "ends the key "
		if restore.survives {
			survival = "keeps the key "
		}
		It(survival+what, func(ctx SpecContext) {
			b := lose(ctx, restore.user("restored"))
			b.restoreObject(ctx, restore.status)
			if restore.status {
				Eventually(answer(ctx, b.key())).Should(Equal(200), "before the operator runs again")
			}
			if restore.secret {
				b.restoreSecret(ctx)
			}
			Expect(s.Operator.Start(ctx)).To(Succeed())
			user := settled(ctx, b.user.Name)
			if !restore.survives {
				Expect(plaintext(ctx, user.Name)).NotTo(Equal(b.key()))
				Consistently(answer(ctx, b.key())).WithTimeout(200 * time.Millisecond).Should(Equal(401))
				return
			}
			Expect(user.Status.Keys).To(HaveLen(1))
			Expect(user.Status.Keys[0].Digest).To(Equal(b.user.Status.Keys[0].Digest))
			Eventually(answer(ctx, b.key())).Should(Equal(200))
			if restore.secret {
				Expect(plaintext(ctx, user.Name)).To(Equal(b.key()))
			}
		}, SpecTimeout(time.Minute))
	}
})
