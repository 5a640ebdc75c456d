package kit

import (
	"strings"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"keywright.dev/keywright/internal/key/pepper"
)

// Keyring returns a keyring of peppers, one for each letter. The first pepper is active.
func Keyring(letters ...string) *pepper.Keyring {
	ginkgo.GinkgoHelper()
	entries := map[string][]byte{}
	for i, letter := range letters {
		name := letter
		if i == 0 {
			name = pepper.Active
		}
		entries[name] = []byte(strings.Repeat(letter, pepper.MinLength))
	}
	ring, err := pepper.Load(entries)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return ring
}
