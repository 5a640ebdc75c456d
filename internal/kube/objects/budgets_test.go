package objects_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/kube/objects"
)

var _ = Describe("A budget that is used up", func() {
	at := time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)
	reach := func(name string, warns bool) budget.Reached {
		b := budget.Budget{Name: name, Unit: budget.Tokens, Amount: 7, Period: budget.Day, Warns: warns}
		return budget.Reached{Budget: b, Resets: b.Period.EndOf(at)}
	}
	create := func(ctx SpecContext, subject string) (*v1alpha1.APIKey, verify.ID) {
		GinkgoHelper()
		key := newKey(subject)
		Expect(server.Create(ctx, key, generate())).To(Succeed())
		removeLater(key)
		return key, verify.ID{Kind: "APIKey", Namespace: key.Namespace, Name: key.Name}
	}
	read := func(ctx SpecContext, key *v1alpha1.APIKey) (all []string) {
		GinkgoHelper()
		Expect(plane.Client.Get(ctx, client.ObjectKeyFromObject(key), key)).To(Succeed())
		for _, u := range key.Status.Usage.Budgets {
			all = append(all, fmt.Sprint(u.Name, " ", u.From, " ", u.Limit, " ", u.Action))
		}
		return all
	}

	It("is recorded once on exactly this object", func(ctx SpecContext) {
		key, id := create(ctx, "budgeted")
		strict, lenient := []budget.Reached{reach("a", false)}, []budget.Reached{reach("a", false), reach("b", true)}
		Expect(server.ReportBudgets(ctx, id, "another-uid", strict, at)).To(Succeed())
		Expect(read(ctx, key)).To(BeEmpty())
		Expect(server.ReportBudgets(ctx, id, string(key.UID), strict, at)).To(Succeed())
		Expect(read(ctx, key)).To(HaveExactElements("a spec.budgets 7 tokens per day Deny"))
		Expect(server.ReportBudgets(ctx, id, string(key.UID), lenient, at)).To(Succeed())
		Expect(read(ctx, key)).To(HaveExactElements(
			"a spec.budgets 7 tokens per day Deny", "b spec.budgets 7 tokens per day Warn"))
		version := key.ResourceVersion
		Expect(server.ReportBudgets(ctx, id, string(key.UID), lenient, at.Add(time.Hour))).To(Succeed())
		Expect(read(ctx, key)).To(HaveLen(2))
		Expect(key.ResourceVersion).To(Equal(version), "nothing changed")
		Expect(key.Status.Keys).To(HaveLen(1))

		id.Name = "unknown"
		Expect(server.ReportBudgets(ctx, id, "uid", strict, at)).To(Succeed())
		Expect(server.ReportBudgets(ctx, verify.ID{Kind: "(bootstrap)"}, "", strict, at)).To(Succeed())
	})

	It("is reported in one event, whichever server comes first", func(ctx SpecContext) {
		key, id := create(ctx, "shared")
		stores := make([]*objects.Store, 3)
		for i := range stores {
			one, err := objects.New(options)
			Expect(err).NotTo(HaveOccurred())
			stores[i] = one
			go one.Run(ctx)
		}
		both := []budget.Reached{reach("a", false), reach("b", true)}
		results := atOnce(len(stores), func(i int) error {
			return stores[i].ReportBudgets(ctx, id, string(key.UID), both, at)
		})
		Expect(count(results, nil)).To(Equal(len(stores)))
		notes := func(g Gomega) (all []string) {
			var events eventsv1.EventList
			g.Expect(plane.Client.List(ctx, &events, client.InNamespace(key.Namespace))).To(Succeed())
			for i := range events.Items {
				if e := &events.Items[i]; e.Regarding.UID == key.UID {
					all = append(all, e.Type+" "+e.Reason+" "+e.Note)
				}
			}
			return all
		}
		want := []string{
			`Warning BudgetExceeded Budget "a" of spec.budgets (7 tokens per day) is used up until 2030-02-01T00:00:00Z: ` +
				`requests are refused.`,
			`Warning BudgetWarning Budget "b" of spec.budgets (7 tokens per day) is used up until 2030-02-01T00:00:00Z: ` +
				`requests are accepted.`,
		}
		Eventually(notes).WithContext(ctx).Should(ConsistOf(want))
	})
})
