package configcompiler_test

import (
	"context"
	"errors"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/operator/keysource"
)

// prefix returns the prefix of new keys, or the error for which none may be issued.
func (e *env) prefix() string {
	format, err := e.Formats.Format()
	if err != nil {
		return err.Error()
	}
	return format.Prefix
}

var pending = keysource.ErrFormatPending.Error()

var _ = Describe("The key format", func() {
	It("is known after the first reconcile, and follows the setting", func(ctx SpecContext) {
		e := newEnv(ctx)
		Expect(e.prefix()).To(Equal(pending))
		e.reconcile(ctx)
		Expect(e.prefix()).To(Equal("ak_"))
		e.configure(ctx, "KEY_PREFIX", "kw_")
		e.reconcile(ctx)
		Expect(e.prefix()).To(Equal("kw_"))
		e.configure(ctx)
		e.reconcile(ctx)
		Expect(e.prefix()).To(Equal("ak_"))
	})

	It("follows the last good configuration while an edit is invalid, even after a restart", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, "KEY_PREFIX", "kw_")
		e.reconcile(ctx)
		for _, pairs := range [][]string{
			{"KEY_PREFIX", "zz_", "UNMATCHED", "perhaps"},
			{"KEY_PREFIX", "zz_", "ADMIN_KEY_SECRET", "missing/key"},
			{"KEY_PREFIX", "ZZ_"},
		} {
			e.configure(ctx, pairs...)
			e.reconcile(ctx)
			Expect(e.prefix()).To(Equal("kw_"))
			e.restart()
			Expect(e.prefix()).To(Equal(pending))
			e.reconcile(ctx)
			Expect(e.prefix()).To(Equal("kw_"))
		}
	})

	It("stays unknown while no configuration was ever valid", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, "KEY_PREFIX", "ZZ_")
		e.reconcile(ctx)
		Expect(e.prefix()).To(Equal(pending))
		e.put(ctx, "keywright-runtime", map[string]string{"runtime.json": `{"keyPrefix":"ZZ_"}`})
		e.reconcile(ctx)
		Expect(e.prefix()).To(Equal(pending))
		e.configure(ctx, "KEY_PREFIX", "zz_")
		e.reconcile(ctx)
		Expect(e.prefix()).To(Equal("zz_"))
	})

	It("does not wait for the pepper", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx, "KEY_PREFIX", "kw_", "ADMIN_KEY", bootstrap)
		ring := e.ring
		e.ring, e.pepperErr = nil, keysource.ErrPepperPending
		e.reconcile(ctx)
		Expect(e.prefix()).To(Equal("kw_"))
		Expect(e.document(ctx)).To(BeEmpty())
		e.ring, e.pepperErr = ring, nil
		e.reconcile(ctx)
		Expect(e.prefix()).To(Equal("kw_"))
	})

	It("is unknown while the API server does not reply", func(ctx SpecContext) {
		e := newEnv(ctx)
		away := errors.New("the API server is away")
		e.Live = interceptor.NewClient(plane.Client, interceptor.Funcs{
			Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
				return away
			},
		})
		_, err := e.Reconcile(ctx, reconcile.Request{})
		Expect(err).To(MatchError(away))
		Expect(e.prefix()).To(Equal(pending))
	})
})

var _ = Describe("An object that waits for the key format", func() {
	It("is requeued once the format is known, and only then", func(ctx SpecContext) {
		e := newEnv(ctx)
		user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: "alice"}}
		Expect(plane.Client.Create(ctx, user)).To(Succeed())
		e.reconcile(ctx)
		Expect(e.requeued).NotTo(Receive(), "no object waits")

		e.restart()
		Expect(e.prefix()).To(Equal(pending))
		e.reconcile(ctx)
		Expect(e.requeued).To(Receive(HaveField("Object.GetName()", "alice")))
		e.configure(ctx, "KEY_PREFIX", "kw_")
		e.reconcile(ctx)
		Expect(e.requeued).NotTo(Receive(), "a change rotates nothing")
	})

	It("is requeued later if that fails", func(ctx SpecContext) {
		e := newEnv(ctx)
		user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: "alice"}}
		Expect(plane.Client.Create(ctx, user)).To(Succeed())
		away := errors.New("the API server is away")
		e.Client = interceptor.NewClient(plane.Client, interceptor.Funcs{
			List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return away },
		})
		Expect(e.prefix()).To(Equal(pending))
		_, err := e.Reconcile(ctx, reconcile.Request{})
		Expect(err).To(MatchError(away))
		e.Client = plane.Client
		e.reconcile(ctx)
		Expect(e.requeued).To(Receive(HaveField("Object.GetName()", "alice")))
		e.reconcile(ctx)
		Expect(e.requeued).NotTo(Receive(), "once")
	})
})
