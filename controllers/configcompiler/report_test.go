package configcompiler_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/controllers/configcompiler"
	"keywright.dev/keywright/internal/config"
)

// configMap returns keywright-config as it is now.
func (e *env) configMap(ctx context.Context) *corev1.ConfigMap {
	GinkgoHelper()
	found := &corev1.ConfigMap{}
	Expect(plane.Client.Get(ctx, client.ObjectKey{Namespace: e.namespace, Name: "keywright-config"}, found)).To(Succeed())
	return found
}

// status returns the status and the message on a ConfigMap.
func status(of *corev1.ConfigMap) [2]string {
	return [2]string{
		of.Annotations["keywright.dev/configuration-status"], of.Annotations["keywright.dev/configuration-message"],
	}
}

// annotate annotates keywright-config as another client does.
func (e *env) annotate(ctx context.Context, name, value string) {
	GinkgoHelper()
	configMap := e.configMap(ctx)
	metav1.SetMetaDataAnnotation(&configMap.ObjectMeta, name, value)
	Expect(plane.Client.Update(ctx, configMap)).To(Succeed())
}

const lastGoodStays = ". The last good configuration stays in force."

var _ = DescribeTable("The result of a check is annotated on both ConfigMaps:",
	func(ctx SpecContext, pepperErr error, setting, value, wanted, message string) {
		e := newEnv(ctx)
		e.configure(ctx, "UNMATCHED", "deny")
		e.reconcile(ctx)
		e.pepperErr = pepperErr
		e.configure(ctx, setting, value)
		e.reconcile(ctx)
		revision := config.Revision(e.document(ctx))
		if message == "" {
			message = "Published to the servers as revision " + revision + "."
		}
		for round := range 2 {
			for _, o := range []*corev1.ConfigMap{e.configMap(ctx), e.runtime(ctx)} {
				Expect(status(o)).To(Equal([2]string{wanted, message}), o.Name)
				Expect(o.Annotations).To(HaveKeyWithValue("keywright.dev/configuration", revision))
			}
			Expect(e.runtime(ctx).Annotations).
				To(HaveKeyWithValue("keywright.dev/configuration-version", e.configMap(ctx).ResourceVersion))
			before := e.configMap(ctx).ResourceVersion
			e.reconcile(ctx)
			Expect(e.configMap(ctx).ResourceVersion).To(Equal(before), "nothing changed")
			e.events.Take()
			e.restart()
			e.reconcile(ctx)
			Expect(e.configMap(ctx).ResourceVersion).To(Equal(before), "nothing changed since the last operator")
			e.annotate(ctx, "of", fmt.Sprint("another", round))
			before = e.configMap(ctx).ResourceVersion
			e.reconcile(ctx)
			Expect(e.configMap(ctx).ResourceVersion).NotTo(Equal(before), "its write has to be the latest")
		}
	},
	Entry("accepted", nil, "UNMATCHED", "allow", "Accepted", ""),
	Entry("accepted without an effect", nil, "UNMATCHED", "'deny'", "Accepted", ""),
	Entry("a fault", nil, "UNMATCHED", "perhaps", "Invalid", "UNMATCHED: is neither allow nor deny"+lastGoodStays),
	Entry("a missing Secret", nil, "ADMIN_KEY_SECRET", "boot/key", "Invalid",
		"ADMIN_KEY_SECRET: Secret boot does not exist"+lastGoodStays),
	Entry("without a pepper", errors.New("it is lost"), "ADMIN_KEY", bootstrap, "Waiting",
		"The configuration waits for the pepper: the bootstrap key cannot be digested: it is lost"+lastGoodStays),
)

var _ = Describe("The annotations", func() {
	It("report that there is no configuration", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.reconcile(ctx)
		Expect(status(e.runtime(ctx))).To(Equal([2]string{
			"Absent", "ConfigMap keywright-config does not exist: every setting has its default."}))
	})

	It("are on keywright-config alone while nothing is in force", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, "UNMATCHED", "perhaps")
		e.reconcile(ctx)
		Expect(status(e.configMap(ctx))[0]).To(Equal("Invalid"))
		Expect(e.configMap(ctx).Annotations).NotTo(HaveKey("keywright.dev/configuration"))
		before := e.configMap(ctx).ResourceVersion
		e.reconcile(ctx)
		Expect(e.configMap(ctx).ResourceVersion).To(Equal(before))
		Expect(e.runtime(ctx).UID).To(BeEmpty())
	})

	It("come back on keywright-runtime, and never report an edit", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, "UNMATCHED", "deny")
		e.reconcile(ctx)
		e.reconcile(ctx)
		e.events.Take()
		good := e.runtime(ctx)
		bare := good.DeepCopy()
		bare.Annotations = nil
		Expect(plane.Client.Update(ctx, bare)).To(Succeed())
		e.reconcile(ctx)
		Expect(e.runtime(ctx).Annotations).To(Equal(good.Annotations))
		e.reconcile(ctx)
		Expect(e.events.Take()).To(BeEmpty())
	})

	It("are left to the next check when the configuration changes or goes in the meantime", func(ctx SpecContext) {
		for _, meanwhile := range []func(*env){
			func(e *env) { e.annotate(ctx, "of", "another") },
			func(e *env) { e.remove(ctx, &corev1.ConfigMap{}, "keywright-config") },
		} {
			e := newEnv(ctx)
			e.configure(ctx, "UNMATCHED", "deny")
			e.Client = interceptor.NewClient(plane.Client, interceptor.Funcs{Patch: func(
				ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, options ...client.PatchOption,
			) error {
				meanwhile(e)
				return c.Patch(ctx, o, patch, options...)
			}})
			e.reconcile(ctx)
			Expect(e.document(ctx)).To(Equal(`{"denyUnmatched":true}`))
		}
	})

	// The times of managed fields are whole seconds.
	It("are written again in a later second than the edit", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Client, e.Live = plane.Client, plane.Client
		e.configure(ctx, "ADMIN_KEY", bootstrap)
		Eventually(func() metav1.Time {
			result, err := e.Reconcile(ctx, reconcile.Request{})
			Expect(err).NotTo(HaveOccurred())
			Expect(result.RequeueAfter).To(BeNumerically(">", 0))
			return *written(e.configMap(ctx), v1alpha1.FieldManager)
		}).WithTimeout(10 * time.Second).Should(Satisfy(func(t metav1.Time) bool {
			return t.After(written(e.configMap(ctx), "configcompiler.test").Time)
		}))
		Expect(e.reconcile(ctx)).To(Equal(poll), "from then on nothing is written")
	})
})

// written returns when a manager last wrote an object.
func written(o client.Object, manager string) *metav1.Time {
	GinkgoHelper()
	for _, entry := range o.GetManagedFields() {
		if entry.Manager == manager {
			return entry.Time
		}
	}
	Fail(manager + " has written nothing")
	return nil
}

var _ = Describe("A ConfigMap that looks like the configuration", func() {
	for name, reported := range map[string]bool{
		"keywright-config-8h57mk2fcg": true, "staging-keywright-config": true, "keywright-config": false,
		"keywright-runtime": false, "app": false,
	} {
		It("is reported once, unless it is another: "+name, func(ctx SpecContext) {
			e := newEnv(ctx)
			m := &configcompiler.Misnamed{Client: plane.Client, Events: e.events, Namespace: e.namespace}
			request := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: e.namespace, Name: name}}
			check := func() []string {
				_, err := m.Reconcile(ctx, request)
				Expect(err).NotTo(HaveOccurred())
				return e.events.Take()
			}
			Expect(check()).To(BeEmpty(), "it does not exist")
			e.put(ctx, name, nil)
			if !reported {
				Expect(check()).To(BeEmpty())
				return
			}
			Expect(check()).To(ConsistOf("Warning ConfigMisnamed This ConfigMap is not read: the name of the configuration is " +
				"keywright-config. If kustomize changed it, set disableNameSuffixHash: true for a generator, and neither " +
				"namePrefix nor nameSuffix."))
			Expect(check()).To(BeEmpty())
			e.remove(ctx, &corev1.ConfigMap{}, name)
			e.put(ctx, name, nil)
			Expect(check()).To(HaveLen(1), "another one of that name")
		})
	}
})
