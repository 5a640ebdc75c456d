package gateways

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("curl", func() {
	for _, program := range []string{"nginx", "curl"} {
		if find(program) == "" {
			without(program, installIt)
			return
		}
	}

	// With a header file, with user and password, and with the key as user.
	It("reads a key from a file, as the page describes", func(ctx SpecContext) {
		g := nginx()
		g.open(ctx)
		home := GinkgoT().TempDir()
		script := page.with("curl.sh", map[string]string{"/var/run/keywright/key": filepath.Join(home, "key")})
		write(home, "key", keys.get("ci")+"\n")
		write(home, ".curlrc",
			"cacert = "+certificates.certificate+"\nconnect-to = app.example.com:443:"+g.listen+"\nnoproxy = *\n")
		cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
		cmd.Dir, cmd.Env = home, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home}
		out, err := cmd.Output()
		Expect(err).NotTo(HaveOccurred())
		replies := strings.SplitAfter(hide(strings.ReplaceAll(string(out), "\r\n", "\n")), "}\n")
		Expect(replies).To(HaveLen(4))
		for _, text := range replies[:3] {
			head, body, _ := strings.Cut(text, "\n\n")
			Expect(head).To(HavePrefix("HTTP/1.1 200 OK\n"))
			got := reply{status: http.StatusOK, body: body, app: &seen{}}
			Expect(json.Unmarshal([]byte(body), got.app)).To(Succeed())
			expectIdentity(got, ci)
		}
	})
})
