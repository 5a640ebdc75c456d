package keylogs

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/internal/key/keyformat"
)

// brought is a key that a person made up, with characters that also separate words. Only its record identifies it.
const brought = "Brought-Along/Key:0123456789"

const patience = time.Minute

// places are all places of a request in which a key may come.
var places = []struct {
	name string
	send func(ctx context.Context, r target, key string)
}{
	{"a path segment", inPath}, {"a query", inQuery}, {"a header", inHeader}, {"a cookie", inCookie},
	{"a body", inBody}, {"a check over gRPC", inCheck},
}

// backends are what the server depends on. The database is the last, because it does not come back.
var backends = []struct {
	name          string
	fail, recover func()
	// expected is in the log at level debug then.
	expected string
}{
	{"nothing is broken", func() {}, func() {}, `"subject":"User/(a key)"`},
	{
		"the app is broken", func() { app.cut() }, func() { app.mend() }, "The app can't be reached",
	},
	{
		"the API server is broken", func() { apiServer.cut() }, func() { apiServer.mend() },
		"A request for management failed",
	},
	{"the database is broken", removeDatabases, func() {}, "The database is unavailable"},
}

// removeDatabases puts folders in place of the databases.
func removeDatabases() {
	GinkgoHelper()
	files, err := s.DatabaseFiles()
	Expect(err).NotTo(HaveOccurred())
	Expect(files).NotTo(BeEmpty())
	for _, file := range files {
		Expect(os.Remove(file)).To(Succeed())
		Expect(os.Mkdir(file, 0o700)).To(Succeed())
	}
	Eventually(written).WithTimeout(patience).
		Should(ContainSubstring("The database is unavailable"))
}

// issue returns one key of each kind: generated, brought along, and generated elsewhere.
func issue(ctx context.Context) []string {
	GinkgoHelper()
	made := send(ctx, http.MethodPost, s.ServerURL+"/apiv1/accounts/logs/apikeys", byBootstrap(), `{"name":"logs"}`)
	Expect(made.status).To(Equal(http.StatusCreated), string(made.body))
	var issued struct{ Data struct{ Token string } }
	Expect(json.Unmarshal(made.body, &issued)).To(Succeed())
	user := s.ServerURL + "/api/admin/users"
	Expect(send(ctx, http.MethodPost, user, byBootstrap(), `{"username":"logs"}`).status).To(Equal(http.StatusOK))
	set := send(ctx, http.MethodPost, user+"/logs/rotate-key", byBootstrap(), asJSON(map[string]string{
		"new_key": brought,
	}))
	Expect(set.status).To(Equal(http.StatusOK), string(set.body))
	foreign, err := keyformat.Format{Prefix: "zz_"}.Generate(rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	keys := []string{issued.Data.Token, brought, foreign}
	for _, r := range s.Replicas {
		for _, key := range keys[:2] {
			Eventually(ctx, func() int {
				return send(ctx, http.MethodGet, r.URL+"/auth", http.Header{"X-Api-Key": {key}}, "").status
			}).WithTimeout(patience).Should(Equal(http.StatusOK))
		}
	}
	return keys
}

// The specs share the replicas and break what these depend on.
var _ = Describe("A key that comes with a request", Ordered, ContinueOnFailure, Serial, func() {
	var keys []string

	BeforeAll(func(ctx SpecContext) { keys = issue(ctx) })

	for _, backend := range backends {
		It("is in no log while "+backend.name, func(ctx SpecContext) {
			backend.fail()
			defer backend.recover()
			var working sync.WaitGroup
			for i, r := range s.Replicas {
				working.Go(func() {
					defer GinkgoRecover()
					for _, key := range keys[i*len(keys)/len(s.Replicas):] {
						sendEverywhere(ctx, target{r.URL, proxies[i], r.ExtAuthz}, key)
					}
				})
			}
			working.Wait()
			expectNoKey(written()+measured(ctx), append(keys, s.BootstrapKey))
			Expect(strings.Contains(written(), backend.expected)).To(BeTrue(), "no line with %s", backend.expected)
		})
	}
})

func sendEverywhere(ctx context.Context, r target, key string) {
	for _, place := range places {
		By("a key in " + place.name)
		place.send(ctx, r, key)
	}
}

// measured returns the metrics of all replicas.
func measured(ctx context.Context) (all string) {
	GinkgoHelper()
	for _, r := range s.Replicas {
		all += string(send(ctx, http.MethodGet, r.MetricsURL, nil, "").body)
	}
	return all
}

// expectNoKey expects no key in the output of the programs, in no form. It does not show the key.
func expectNoKey(output string, keys []string) {
	GinkgoHelper()
	for line := range strings.Lines(output) {
		for i, key := range keys {
			for _, form := range []string{key, url.PathEscape(key), url.QueryEscape(key), strings.ToLower(key)} {
				if strings.Contains(line, form) {
					Fail("key " + string(rune('0'+i)) + " is in the line " + strings.ReplaceAll(line, form, "HERE"))
				}
			}
		}
	}
}
