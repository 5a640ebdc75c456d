// Package liveobjects runs a server's view of the cluster and its store of objects on a real API server, with the
// rights of the server's ServiceAccount and under the admission policies. There is no operator.
package liveobjects

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/server/clusterwatch"
	"keywright.dev/keywright/test/fakeobjects"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

// Env is a control plane with the server's view and store.
type Env struct {
	Plane    *stack.ControlPlane
	Index    *verify.Index
	Ring     *pepper.Keyring
	Format   keyformat.Format
	Verifier *verify.Verifier
	View     *clusterwatch.Watcher
	Store    *objects.Store
	// Options are those of Store.
	Options objects.Options
	Log     *slog.Logger
}

// Start starts the control plane, the view and the store, until the suite ends. It is part of a BeforeSuite.
func Start(ctx context.Context, log *slog.Logger) *Env {
	ginkgo.GinkgoHelper()
	e := &Env{
		Plane: kit.ControlPlane(ctx), Index: &verify.Index{}, Ring: kit.Keyring("p"),
		Format: keyformat.Format{Prefix: keyformat.DefaultPrefix}, Log: log,
	}
	gomega.Expect(e.Plane.InstallPolicies(ctx)).To(gomega.Succeed())
	rest, err := e.Plane.ServiceAccountConfig(ctx, "keywright-server")
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	e.Verifier = verify.NewVerifier(e.Index, e.Format, e.Ring)
	e.View, err = clusterwatch.New(
		rest, keyholder.Scope{System: stack.Namespace}, clusterwatch.Targets{Index: e.Index}, log)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	e.Options = objects.Options{
		REST: rest, Namespace: stack.Namespace, Verifier: e.Verifier, View: e.View,
		Random: rand.Reader, Now: time.Now, Log: log,
		Format: func() keyformat.Format { return e.Format }, Ring: func() *pepper.Keyring { return e.Ring },
	}
	e.Store, err = objects.New(e.Options)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	kit.Background(func(ctx context.Context) { e.View.Run(ctx, func(string) error { return nil }) }, e.Store.Run)
	gomega.Eventually(e.View.Ready).WithTimeout(time.Minute).Should(gomega.Succeed())
	return e
}

// APIKeys returns a gate with an empty configuration, and the management of API keys behind it. The bootstrap key is
// fakeobjects.BootstrapKey.
func (e *Env) APIKeys() (*gate.Gate, *apikeys.Service) {
	ginkgo.GinkgoHelper()
	bootstrap := e.Ring.Digest(fakeobjects.BootstrapKey)
	e.Index.SetBootstrap(&bootstrap)
	g := gate.New(gate.Config{
		Verifier: e.Verifier, View: e.View, Now: time.Now, Registry: prometheus.NewRegistry(), Log: e.Log,
	})
	rules, err := gate.NewRules(config.Runtime{})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	g.Use(rules)
	return g, apikeys.New(apikeys.Config{
		Gate: g, Verifier: e.Verifier, Store: e.Store, Uses: &fakeobjects.Uses{}, Trail: &fakeobjects.Trail{},
		Account: func() string { return "default" }, Actions: func() []string { return nil },
		Now: time.Now, Log: e.Log,
	})
}
