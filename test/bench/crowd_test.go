package bench

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"context"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/test/stack"
)

// crowds are the numbers of APIKeys in each namespace. A server that watches one of them has that number of keys.
var crowds = []struct {
	namespace string
	keys      int
}{
	{"one", 1}, {"thousand", 1_000}, {"hundred-thousand", 100_000},
}

const (
	// crowdUsers is the number of users that the keys speak as, and bindingSize the number of users in a binding.
	crowdUsers, bindingSize = 10_000, 500
)

// crowd is a stack with these keys and without an operator, which would miss the Secrets of copied keys.
type crowd struct {
	*stack.Stack
	ring *pepper.Keyring
	// keys are the plaintexts by namespace.
	keys map[string][]string
}

func gather(b *testing.B) *crowd {
	b.Helper()
	s, err := stack.Start(b.Context(),
		stack.Options{Out: os.Stderr, ForRelease: true, ServerArgs: []string{"--namespaces=" + crowds[0].namespace}})
	must(b, err)
	b.Cleanup(func() { _ = s.Stop() })
	c := &crowd{Stack: s, ring: mountedPepper(b, s), keys: map[string][]string{}}
	must(b, s.Client.Create(b.Context(), staff()))
	for i := range crowdUsers / bindingSize {
		must(b, s.Client.Create(b.Context(), bindingOf(i)))
	}
	for _, some := range crowds {
		must(b, s.Client.Create(b.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: some.namespace}}))
		must(b, s.Client.Create(b.Context(), crowdKey(some.namespace)))
	}
	for _, some := range crowds {
		c.awaitDelivered(b, some.namespace)
	}
	must(b, s.Operator.Stop())
	for _, some := range crowds {
		c.keys[some.namespace] = generate(b, some.keys)
		c.copy(b, some.namespace)
	}
	for _, some := range crowds[1:] {
		_, err := s.AddServer(b.Context(), "--namespaces="+some.namespace)
		must(b, err)
	}
	return c
}

// mountedPepper returns the keyring of a stack's servers.
func mountedPepper(b *testing.B, s *stack.Stack) *pepper.Keyring {
	b.Helper()
	var secret corev1.Secret
	must(b, s.Client.Get(b.Context(), client.ObjectKey{Namespace: stack.Namespace, Name: v1alpha1.PepperSecret}, &secret))
	ring, err := pepper.Load(secret.Data)
	must(b, err)
	return ring
}

func crowdUser(i int) string { return fmt.Sprintf("user-%04d", i%crowdUsers) }

// staff returns a role that allows the scopes. Without it a user's key would hold no rights.
func staff() *v1alpha1.AccessRole {
	role := &v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: "staff"}}
	role.Spec.Permissions = []v1alpha1.Permission{{
		Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{"certs.read",
			"certs.write"}, Resources: []v1alpha1.Resource{"*"},
	}}
	return role
}

// bindingOf returns a binding that gives the role to as many users as one can list.
func bindingOf(i int) *v1alpha1.AccessRoleBinding {
	binding := &v1alpha1.AccessRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("staff-%d", i)}}
	binding.Spec.RoleRef.Name = "staff"
	for n := i * bindingSize; n < (i+1)*bindingSize; n++ {
		binding.Spec.Subjects = append(
			binding.Spec.Subjects, v1alpha1.BoundSubject{Kind: v1alpha1.BoundUser, Name: v1alpha1.Username(crowdUser(n))})
	}
	return binding
}

// crowdKey returns the first key of a namespace, with scopes, roles and a policy.
func crowdKey(namespace string) *v1alpha1.APIKey {
	k := newKey(namespace, keyName(0))
	k.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: crowdUser(0)}
	k.Spec.Scopes = []v1alpha1.Scope{"certs.read", "certs.write"}
	k.Spec.Roles = []v1alpha1.RoleName{"staff"}
	k.Spec.Policy = &v1alpha1.Policy{Permissions: []v1alpha1.Permission{{
		Effect: v1alpha1.EffectDeny, Actions: []v1alpha1.Action{"certs.delete"}, Resources: []v1alpha1.Resource{"*"},
	}}}
	return k
}

func (c *crowd) awaitDelivered(b *testing.B, namespace string) {
	b.Helper()
	must(b, wait.PollUntilContextTimeout(b.Context(), 20*time.Millisecond, time.Minute, true,
		func(ctx context.Context) (bool, error) {
			var k v1alpha1.APIKey
			err := c.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: keyName(0)}, &k)
			return isDelivered(&k), err
		}))
}

func generate(b *testing.B, n int) []string {
	b.Helper()
	keys := make([]string, n)
	for i := range keys {
		var err error
		keys[i], err = keyformat.Format{Prefix: keyformat.DefaultPrefix}.Generate(rand.Reader)
		must(b, err)
	}
	return keys
}

// copy copies the first key of a namespace, each copy with its own plaintext. A replacement has the length of the
// original.
func (c *crowd) copy(b *testing.B, namespace string) {
	b.Helper()
	var first v1alpha1.APIKey
	must(b, c.Client.Get(b.Context(), client.ObjectKey{Namespace: namespace, Name: keyName(0)}, &first))
	folder := "/registry/keywright.dev/apikeys/" + namespace + "/"
	template, err := c.EtcdRead(b.Context(), folder+first.Name)
	must(b, err)
	var writes []stack.EtcdWrite
	for i, plaintext := range c.keys[namespace] {
		writes = append(writes, stack.EtcdWrite{Key: folder + keyName(i), Value: c.another(template, &first, i, plaintext)})
	}
	must(b, c.EtcdWrite(b.Context(), writes))
}

func (c *crowd) another(template []byte, first *v1alpha1.APIKey, i int, plaintext string) []byte {
	recorded, digest := first.Status.Keys[0], c.ring.Digest(plaintext)
	for _, part := range [][2]string{
		// The id is part of the digest.
		{recorded.Digest, digest.String()},
		{recorded.ID, digest.KeyID()},
		{recorded.Prefix, keyformat.Format{Prefix: keyformat.DefaultPrefix}.Shown(plaintext)},
		{first.Spec.Subject.Name, crowdUser(i)},
	} {
		template = bytes.ReplaceAll(template, []byte(part[0]), []byte(part[1]))
	}
	return bytes.ReplaceAll(bytes.ReplaceAll(template, []byte(first.Name), []byte(keyName(i))),
		[]byte(first.UID), fmt.Appendf(nil, "%s%012d", first.UID[:len(first.UID)-12], i))
}
