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

// prefix is how new keys begin, or why none may be issued.
func (b *bench) prefix() string {
	format, err := b.Formats.Format()
	if err != nil {
		return err.Error()
	}
	return format.Prefix
}

var pending = keysource.ErrFormatPending.Error()

var _ = Describe("How new keys begin", func() {
	It("is known after the first look, and follows the setting", func(ctx SpecContext) {
		b := newBench(ctx)
		Expect(b.prefix()).To(Equal(pending))
		b.look(ctx)
		Expect(b.prefix()).To(Equal("ak_"))
		b.configure(ctx, "KEY_PREFIX", "kw_")
		b.look(ctx)
		Expect(b.prefix()).To(Equal("kw_"))
		b.configure(ctx)
		b.look(ctx)
		Expect(b.prefix()).To(Equal("ak_"))
	})

	It("is by the last good configuration while an edit can't be used, after a start too", func(ctx SpecContext) {
		b := newBench(ctx)
		b.configure(ctx, "KEY_PREFIX", "kw_")
		b.look(ctx)
		for _, pairs := range [][]string{
			{"KEY_PREFIX", "zz_", "UNMATCHED", "perhaps"},
			{"KEY_PREFIX", "zz_", "ADMIN_KEY_SECRET", "missing/key"},
			{"KEY_PREFIX", "ZZ_"},
		} {
			b.configure(ctx, pairs...)
			b.look(ctx)
			Expect(b.prefix()).To(Equal("kw_"))
			b.restart()
			Expect(b.prefix()).To(Equal(pending))
			b.look(ctx)
			Expect(b.prefix()).To(Equal("kw_"))
		}
	})

	It("stays unknown where no configuration was ever good", func(ctx SpecContext) {
		b := newBench(ctx)
		b.configure(ctx, "KEY_PREFIX", "ZZ_")
		b.look(ctx)
		Expect(b.prefix()).To(Equal(pending))
		b.put(ctx, "keywright-runtime", map[string]string{"runtime.json": `{"keyPrefix":"ZZ_"}`})
		b.look(ctx)
		Expect(b.prefix()).To(Equal(pending))
		b.configure(ctx, "KEY_PREFIX", "zz_")
		b.look(ctx)
		Expect(b.prefix()).To(Equal("zz_"))
	})

	It("does not wait for the pepper longer than keys do", func(ctx SpecContext) {
		b := newBench(ctx)
		b.configure(ctx, "KEY_PREFIX", "kw_", "ADMIN_KEY", bootstrap)
		ring := b.ring
		b.ring, b.pepperErr = nil, keysource.ErrPepperPending
		b.look(ctx)
		Expect(b.prefix()).To(Equal("kw_"))
		Expect(b.document(ctx)).To(BeEmpty())
		b.ring, b.pepperErr = ring, nil
		b.look(ctx)
		Expect(b.prefix()).To(Equal("kw_"))
	})

	It("is unknown while the API server does not answer", func(ctx SpecContext) {
		b := newBench(ctx)
		away := errors.New("the API server is away")
		b.Live = interceptor.NewClient(plane.Client, interceptor.Funcs{
			Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
				return away
			},
		})
		_, err := b.Reconcile(ctx, reconcile.Request{})
		Expect(err).To(MatchError(away))
		Expect(b.prefix()).To(Equal(pending))
	})
})

var _ = Describe("Who asked how keys begin", func() {
	It("is asked to look again when it is known, and only then", func(ctx SpecContext) {
		b := newBench(ctx)
		user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "alice"}}
		Expect(plane.Client.Create(ctx, user)).To(Succeed())
		b.look(ctx)
		Expect(b.asked).NotTo(Receive(), "nobody waits")

		b.restart()
		Expect(b.prefix()).To(Equal(pending))
		b.look(ctx)
		Expect(b.asked).To(Receive(HaveField("Object.GetName()", "alice")))
		b.configure(ctx, "KEY_PREFIX", "kw_")
		b.look(ctx)
		Expect(b.asked).NotTo(Receive(), "a change rotates nothing")
	})

	It("is asked later where that fails", func(ctx SpecContext) {
		b := newBench(ctx)
		user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "alice"}}
		Expect(plane.Client.Create(ctx, user)).To(Succeed())
		away := errors.New("the API server is away")
		b.Client = interceptor.NewClient(plane.Client, interceptor.Funcs{
			List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return away },
		})
		Expect(b.prefix()).To(Equal(pending))
		_, err := b.Reconcile(ctx, reconcile.Request{})
		Expect(err).To(MatchError(away))
		b.Client = plane.Client
		b.look(ctx)
		Expect(b.asked).To(Receive(HaveField("Object.GetName()", "alice")))
		b.look(ctx)
		Expect(b.asked).NotTo(Receive(), "once")
	})
})
