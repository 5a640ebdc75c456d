package apikey_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/controllers/apikey"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/operator/issuer"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/lifecyclesuite"
)

func TestAPIKey(t *testing.T) {
	kit.RunSpecs(t, "APIKey controller")
}

var suite = &lifecyclesuite.Suite[*v1alpha1.APIKey]{Kind: lifecyclesuite.Kind[*v1alpha1.APIKey]{
	Name: "APIKey",
	New: func(namespace, name string) *v1alpha1.APIKey {
		k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		k.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
		return k
	},
	Reconciler: func(c client.Client, i *issuer.Issuer, system string) lifecyclesuite.Reconciler {
		return &apikey.Reconciler{
			Client: c, Issuer: i, System: system, Limits: &apikey.Limits{Reader: c, Namespace: system},
		}
	},
	Indexes: []kit.Index{issuer.IndexSecrets, keyholder.Index, keyholder.IndexUsernames, apikey.Index},

	SecretSuffix:  "-api-key",
	IdentityEntry: v1alpha1.SecretSubject, Identity: "Account/ci",
	DefaultOverlap: time.Hour, ShownOverlap: "1h",
	DefaultReissuePolicy: v1alpha1.ReissueIfLost,
	DisabledMessage:      "spec.state is Disabled: the key is refused until it is Active again.",
	EndedReason:          v1alpha1.ReasonRevoked,
	EndedMessage:         "spec.state is Revoked, or was: the key is refused for good.",

	Secret: func(k *v1alpha1.APIKey) (*v1alpha1.SecretTemplate, *v1alpha1.ReissuePolicy) {
		if k.Spec.Secret == nil {
			k.Spec.Secret = &v1alpha1.APIKeySecret{}
		}
		return &k.Spec.Secret.SecretTemplate, &k.Spec.Secret.ReissuePolicy
	},
	Fields: func(k *v1alpha1.APIKey) lifecyclesuite.Fields {
		return lifecyclesuite.Fields{Rotation: &k.Spec.Rotation, Delivery: &k.Spec.Delivery, State: &k.Spec.State}
	},
	End:     revoked,
	IsEnded: func(k *v1alpha1.APIKey) bool { return k.IsRevoked() },
}}

var _ = BeforeSuite(func(ctx SpecContext) { suite.Start(ctx) }, kit.StartTimeout)

var _ = suite.Run()

var begin = lifecyclesuite.Begin

// env is the contract's Env with what only APIKeys depend on: roles and owners.
type env struct {
	*lifecyclesuite.Env[*v1alpha1.APIKey]
}

func newEnv(ctx context.Context) *env {
	GinkgoHelper()
	return &env{suite.NewEnv(ctx)}
}

// Short names for what most specs expect.
var (
	condition        = lifecyclesuite.Condition
	message          = lifecyclesuite.Message
	expectConditions = lifecyclesuite.ExpectConditions
)
