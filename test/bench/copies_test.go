package bench

import (
	"bytes"
	"fmt"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// copyKeys writes copies of the first key with numbers from one to below another. They differ from it in name and
// digest only. Issuing 100,000 keys would take a quarter of an hour. A replacement has the length of the original,
// because the stored form of Secrets contains lengths.
func (f *fleet) copyKeys(b *testing.B, from, to int) {
	b.Helper()
	f.keys = to
	var first v1alpha1.APIKey
	must(b, f.Client.Get(b.Context(), client.ObjectKey{Namespace: keysNamespace, Name: keyName(0)}, &first))
	folders := []string{"/registry/keywright.dev/apikeys/" + keysNamespace + "/", "/registry/secrets/" + keysNamespace +
		"/"}
	names := []string{"", "-api-key"}
	var writes []stack.EtcdWrite
	for n, folder := range folders {
		template, err := f.EtcdRead(b.Context(), folder+keyName(0)+names[n])
		must(b, err)
		for i := from; i < to; i++ {
			writes = append(writes, stack.EtcdWrite{Key: folder + keyName(i) + names[n], Value: copyOf(template, &first, i)})
		}
	}
	must(b, f.EtcdWrite(b.Context(), writes))
}

func copyOf(template []byte, first *v1alpha1.APIKey, i int) []byte {
	id := fmt.Sprintf("%016x", i)
	uid := string(first.UID)
	for _, part := range [][2]string{
		{first.Name, keyName(i)},
		{uid, fmt.Sprintf("%s%012d", uid[:len(uid)-12], i)},
		{first.Status.Keys[0].ID, id},
	} {
		template = bytes.ReplaceAll(template, []byte(part[0]), []byte(part[1]))
	}
	return template
}
