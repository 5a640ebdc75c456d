package plugin

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	_ "modernc.org/sqlite"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

const (
	// importedSecret is shorter than a pepper of Keywright's own.
	importedSecret = "secret-of-another-system"
	importedKey    = "jji_OVplV7kJcBkNDYwUsLYkZBQkX9d4bTVCGvNz_oI"
	listedKey      = "grandfathered-0123456789-abcdefghij"
	// patience is long enough for a busy machine, and for a server to read its mounted peppers.
	patience = time.Minute
)

func hexHMAC(secret, key string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(key))
	return hex.EncodeToString(mac.Sum(nil))
}

func hexSHA256(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// jji writes a database of JJI and the file with its secret.
func jji(rows ...[]any) (database, secretFile string) {
	GinkgoHelper()
	folder := GinkgoT().TempDir()
	database, secretFile = filepath.Join(folder, "results.db"), filepath.Join(folder, "secret")
	Expect(os.WriteFile(secretFile, []byte(importedSecret+"\n"), 0o600)).To(Succeed())
	db, err := sql.Open("sqlite", database)
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(db.Close()).To(Succeed()) }()
	_, err = db.Exec("CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT UNIQUE NOT NULL, " +
		"api_key_hash TEXT UNIQUE, role TEXT NOT NULL DEFAULT 'user', created_at TIMESTAMP, last_seen TIMESTAMP)")
	Expect(err).NotTo(HaveOccurred())
	for _, row := range rows {
		_, err = db.Exec("INSERT INTO users (username, role, api_key_hash) VALUES (?, ?, ?)", row...)
		Expect(err).NotTo(HaveOccurred())
	}
	return database, secretFile
}

// answer returns the status with which the server answers a request with a key.
func answer(ctx context.Context, method, path, key string) int {
	request, err := http.NewRequestWithContext(ctx, method, s.ServerURL+path, strings.NewReader("{}"))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/json")
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer reply.Body.Close()
	return reply.StatusCode
}

func accepted(ctx context.Context, key string) {
	GinkgoHelper()
	Eventually(ctx, func() int { return answer(ctx, http.MethodGet, "/auth", key) }).
		WithTimeout(patience).Should(Equal(http.StatusOK))
}

// forgetImported deletes what was imported.
func forgetImported(ctx context.Context) {
	GinkgoHelper()
	ours := v1alpha1.LabelCreatedBy + "=" + v1alpha1.CreatedByAPI
	_, err := s.Kubectl(ctx, "annotate", "adminusers", "-l", ours, v1alpha1.AnnotationAllowLastAdminRemoval+"=true")
	Expect(err).NotTo(HaveOccurred())
	_, err = s.Kubectl(ctx, "delete", "apikeys,adminusers", "-l", ours)
	Expect(err).NotTo(HaveOccurred())
}

func adminUser(ctx context.Context, name string) (*v1alpha1.AdminUser, error) {
	user := &v1alpha1.AdminUser{}
	return user, s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: name}, user)
}

var _ = Describe("Import from JJI", Ordered, func() {
	var database, secretFile string

	run := func(ctx context.Context, args ...string) result {
		GinkgoHelper()
		got := kubectl(ctx, nil, append([]string{"keywright", "import", "jji", database}, args...)...)
		Expect(got.stdout + got.stderr).NotTo(ContainSubstring(importedSecret))
		return got
	}

	BeforeAll(func(ctx SpecContext) {
		apply(ctx, "apiVersion: keywright.dev/v1alpha1\nkind: AdminUser\n"+
			"metadata: {name: taken, namespace: keywright-system}\nspec: {username: Taken}\n")
		database, secretFile = jji(
			[]any{"Mover.One", "admin", hexHMAC(importedSecret, importedKey)},
			[]any{"plain_mover", "user", nil},
			[]any{"admin", "admin", hexHMAC(importedSecret, "another key of 16 characters")},
			[]any{"taken", "admin", hexHMAC(importedSecret, "one more key of 16 characters")},
		)
		DeferCleanup(forgetImported)
		DeferCleanup(func(ctx SpecContext) {
			_, err := s.Kubectl(ctx, "delete", "adminuser", "taken")
			Expect(err).NotTo(HaveOccurred())
		})
	})

	It("needs the secret", func(ctx SpecContext) {
		got := run(ctx)
		Expect(got.code).To(Equal(2))
		Expect(got.stderr).To(ContainSubstring("--secret-file is missing"))
	})

	It("changes nothing in a dry run", func(ctx SpecContext) {
		got := run(ctx, "--secret-file", secretFile, "--dry-run")
		Expect(got.code).To(Equal(1))
		Expect(got.stdout).To(ContainSubstring("user Mover.One: would be imported as AdminUser keywright-system/mover.one\n"))
		Expect(got.stderr).To(ContainSubstring("would get the pepper imported-"))
		Expect(got.stderr).To(ContainSubstring("2 would be imported, 0 here already, 0 left out, 2 refused"))
		_, err := adminUser(ctx, "mover.one")
		Expect(client.IgnoreNotFound(err)).To(Succeed())
		Expect(err).To(HaveOccurred())
		peppers := &corev1.Secret{}
		Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: v1alpha1.PepperSecret}, peppers)).
			To(Succeed())
		Expect(peppers.Data).To(HaveLen(1))
	})

	It("takes users and keys, and reports each that it can't take", func(ctx SpecContext) {
		got := run(ctx, "--secret-file", secretFile)
		Expect(got.code).To(Equal(1))
		Expect(got.stdout).To(ContainSubstring("user plain_mover: imported as AdminUser keywright-system/plain-mover-"))
		Expect(got.stderr).To(ContainSubstring("Error: user admin: the username is reserved\n"))
		Expect(got.stderr).To(ContainSubstring("Error: user taken: AdminUser keywright-system/taken has the name"))
		Expect(got.stderr).To(ContainSubstring("2 imported, 0 here already, 0 left out, 2 refused"))
		accepted(ctx, importedKey)
		Eventually(ctx, func(g Gomega) {
			user, err := adminUser(ctx, "mover.one")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(meta.IsStatusConditionTrue(user.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
			g.Expect(meta.IsStatusConditionTrue(user.Status.Conditions, v1alpha1.ConditionActive)).To(BeTrue())
		}).WithTimeout(patience).Should(Succeed())
	})

	It("may be repeated", func(ctx SpecContext) {
		got := run(ctx, "--secret-file", secretFile)
		Expect(got.stderr).To(ContainSubstring("0 imported, 2 here already, 0 left out, 2 refused"))
		got = run(ctx, "--secret-file", secretFile, "--admins-only")
		Expect(got.stderr).To(ContainSubstring("0 imported, 1 here already, 0 left out, 2 refused"))
	})

	It("corrects an import with a wrong secret, and completes an interrupted one", func(ctx SpecContext) {
		wrong := filepath.Join(GinkgoT().TempDir(), "wrong")
		Expect(os.WriteFile(wrong, []byte("not the secret of that system"), 0o600)).To(Succeed())
		Expect(run(ctx, "--secret-file", wrong).stderr).To(ContainSubstring("1 imported, 1 here already"))
		Expect(run(ctx, "--secret-file", secretFile).stderr).To(ContainSubstring("1 imported, 1 here already"))
		accepted(ctx, importedKey)
		user, err := adminUser(ctx, "mover.one")
		Expect(err).NotTo(HaveOccurred())
		before := user.DeepCopy()
		user.Status.Keys = nil
		Expect(s.Client.Status().Patch(ctx, user, client.MergeFrom(before))).To(Succeed())
		Expect(run(ctx, "--secret-file", secretFile).stderr).To(ContainSubstring("1 imported, 1 here already"))
		accepted(ctx, importedKey)
	})

	It("the first rotation replaces the key", func(ctx SpecContext) {
		Eventually(ctx, func() int {
			return answer(ctx, http.MethodPost, "/api/admin/users/Mover.One/rotate-key", s.BootstrapKey)
		}).WithTimeout(patience).Should(Equal(http.StatusOK))
		Expect(answer(ctx, http.MethodGet, "/auth", importedKey)).To(Equal(http.StatusUnauthorized))
		got := run(ctx, "--secret-file", secretFile)
		Expect(got.stderr).To(ContainSubstring("AdminUser keywright-system/mover.one exists, and has another key"))
	})
})

var _ = Describe("Import of a list of digests", Ordered, func() {
	var list string

	run := func(ctx context.Context, args ...string) result {
		GinkgoHelper()
		return kubectl(ctx, nil, append([]string{"keywright", "import", "keys", list}, args...)...)
	}

	BeforeAll(func() {
		list = filepath.Join(GinkgoT().TempDir(), "keys.csv")
		Expect(os.WriteFile(list, []byte("name,subject,digest,expires,scopes\n"+
			"Nightly Build,Account/ci,"+hexSHA256(listedKey)+",,certs.read\n"+
			"old,Account/ci,"+hexSHA256("expired")+",2020-01-01,\n"+
			"copy,Account/ci,sha256:"+hexSHA256(listedKey)+",,\n"+
			"lost,Group/ci,"+hexSHA256("lost")+",,\n"+
			"bad scope,Account/ci,"+hexSHA256("bad scope")+",,CERTS\n"+
			"Nightly build,Account/ci,"+hexSHA256("same name")+",,\n"), 0o600)).To(Succeed())
		DeferCleanup(forgetImported)
	})

	It("is refused without verb restore", func(ctx SpecContext) {
		create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "importer"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "keywright-view"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "importer"}},
		})
		create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "importer"}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"keywright.dev"}, Resources: []string{"accounts", "scopes"}, Verbs: []string{"use"}},
		}})
		grantIn(ctx, stack.Namespace, "importer", "importer")
		grantIn(ctx, stack.Namespace, "importer", "keywright-edit")
		grantIn(ctx, stack.Namespace, "importer", "keywright-view")
		got := run(ctx, "--as=importer")
		Expect(got.code).To(Equal(1))
		Expect(got.stderr).To(ContainSubstring("needs verb restore on keys.keywright.dev in namespace keywright-system"))
		Expect(got.stderr).To(ContainSubstring("0 imported"))
	})

	It("takes keys, and reports each that it can't take", func(ctx SpecContext) {
		got := run(ctx, "--dry-run")
		Expect(got.code).To(Equal(1))
		for _, prefix := range []string{"would be ", ""} {
			if prefix == "" {
				got = run(ctx)
			}
			Expect(got.stdout).To(ContainSubstring("1: key Nightly Build: " + prefix + "imported as APIKey"))
			Expect(got.stdout).To(ContainSubstring("2: key old: expired at 2020-01-02T00:00:00Z: left out\n"))
			Expect(got.stderr).To(MatchRegexp("3: key copy: APIKey keywright-system/nightly-build-.* has this key already"))
			Expect(got.stderr).To(ContainSubstring(`4: key lost: subject "Group/ci" must be`))
			Expect(got.stderr).To(ContainSubstring("5: key bad scope: "))
			Expect(got.stderr).To(ContainSubstring("6: key Nightly build: APIKey keywright-system/nightly-build-"))
			Expect(got.stderr).To(ContainSubstring("Warning: the length of 6 keys is not known"))
			Expect(got.stderr).To(ContainSubstring("1 " + prefix + "imported, 0 here already, 1 left out, 4 refused"))
		}
		accepted(ctx, listedKey)
		Expect(run(ctx).stderr).To(ContainSubstring("0 imported, 1 here already, 1 left out, 4 refused"))
	})

	It("the first rotation replaces the key", func(ctx SpecContext) {
		var keys v1alpha1.APIKeyList
		Expect(s.Client.List(ctx, &keys, client.InNamespace(stack.Namespace),
			client.MatchingLabels{v1alpha1.LabelCreatedBy: v1alpha1.CreatedByAPI})).To(Succeed())
		Expect(keys.Items).To(HaveLen(1))
		key := &keys.Items[0]
		Expect(key.Status.Keys).To(HaveLen(1))
		Expect(key.Status.Keys[0].Digest).To(Equal("sha256:" + hexSHA256(listedKey)))
		Expect(answer(ctx, http.MethodPost, "/apiv1/apikeys/"+string(key.UID)+"/rotate", s.BootstrapKey)).
			To(Equal(http.StatusOK))
		Expect(answer(ctx, http.MethodGet, "/auth", listedKey)).To(Equal(http.StatusUnauthorized))
		Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(key), key)).To(Succeed())
		Expect(key.Status.Keys).To(HaveLen(1))
		Expect(key.Status.Keys[0].Digest).To(HavePrefix("hmac-sha256:"))
	})
})
