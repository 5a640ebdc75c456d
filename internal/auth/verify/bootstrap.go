package verify

import "keywright.dev/keywright/internal/key/pepper"

// bootstrapID is of no kind that Kubernetes has, so that replacing all objects of a kind leaves it alone.
var bootstrapID = ID{Kind: "(bootstrap)"}

// SetBootstrap takes the digest of the bootstrap key in place of the one before; nil takes it away. Its bearer is
// the user admin. Having been there before every object, it wins where an object records the same key. It returns what
// Put returns.
func (x *Index) SetBootstrap(digest *pepper.Digest) (ended []pepper.Digest) {
	if digest == nil {
		return x.Delete(bootstrapID)
	}
	return x.Put(bootstrapID, Holder{
		Identity: Identity{Username: "admin", Subject: "User/admin", Admin: true},
		Standing: Accepted,
		Keys:     []Key{{Digest: *digest}},
	})
}
