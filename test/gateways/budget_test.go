package gateways

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/usage"
)

// issueSpent creates the key of an account with a budget that is used up.
func issueSpent(ctx context.Context) {
	GinkgoHelper()
	key := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "spent"},
		Spec: v1alpha1.APIKeySpec{
			Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "spent"},
			Budgets: []v1alpha1.Budget{{Name: "tiny", Tokens: 1, Period: v1alpha1.BudgetMonth}},
		}}
	Expect(s.Client.Create(ctx, key)).To(Succeed())
	keys.put("spent", delivered(ctx, key.Namespace, "spent-api-key"))
	Expect(s.Server.Stop()).To(Succeed())
	spend(ctx, string(key.UID))
	Expect(s.Server.Restart(ctx)).To(Succeed())
	Eventually(ctx, ask(ctx, "GET", "/", bearer(keys.get("spent")))).Should(Equal(http.StatusTooManyRequests))
}

// spend records a call with a key in the database of the server, which is stopped: it holds the file for itself.
func spend(ctx context.Context, uid string) {
	GinkgoHelper()
	files, err := s.DatabaseFiles()
	Expect(err).NotTo(HaveOccurred())
	slices.Sort(files)
	Expect(files).NotTo(BeEmpty())
	db, err := database.Open(ctx, files[0], slog.New(slog.DiscardHandler))
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(db.Close()).To(Succeed()) }()
	call := usage.Record{
		ID: "call", At: time.Now(), ReceivedAt: time.Now(), Provider: "acme", Model: "large", Status: usage.StatusOK,
		Tokens: usage.Tokens{Input: 1}, Reporter: usage.Reporter{KeyUID: uid, Subject: "Account/spent"},
	}
	added, err := db.Usage().Append(ctx, []usage.Record{call})
	Expect(err).NotTo(HaveOccurred())
	Expect(added).To(HaveLen(1))
}

// limits declares the spec of a key whose budget is used up.
func limits(g *gateway) {
	It("refuses a key whose budget is used up, and passes on which it is and when it resets", func(ctx SpecContext) {
		for _, how := range []by{byBearer, byBasic, byAPIKey} {
			got := g.send(ctx, request{method: "GET", target: "/", who: "spent", by: how})
			if g.mute {
				// The controller leaves no way to distinguish a budget from an outage.
				g.expectRefused(got, http.StatusInternalServerError, "")
				continue
			}
			g.expectRefused(got, http.StatusTooManyRequests, `"budget":"tiny"`)
			Expect(got.header.Get("Retry-After")).To(MatchRegexp("^[1-9][0-9]*$"))
		}
		expectIdentity(g.get(ctx, "/", "ci"), ci)
	})
}
