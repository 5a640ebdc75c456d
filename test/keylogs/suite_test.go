package keylogs

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestKeyLogs(t *testing.T) {
	kit.RunSpecs(t, "What the programs write")
}

var (
	s *stack.Stack
	// apiServer and app are the lines to the backends that all replicas share.
	apiServer, app *line
	// proxies are the URLs of the replicas' reverse proxies.
	proxies []string
)

var _ = BeforeSuite(func(ctx SpecContext) {
	behind := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	DeferCleanup(behind.Close)
	app = openLine(behind.Listener.Addr().String())
	s = kit.Stack(ctx, stack.Options{
		ServerArgs: []string{"--upstream=http://" + app.address, "--log-level=debug", proxyAddress()},
		ServerSees: throughLine,
	})
	for _, level := range []string{"info", "error"} {
		_, err := s.AddServer(ctx, "--log-level="+level, proxyAddress())
		Expect(err).NotTo(HaveOccurred())
	}
	configure(ctx)
}, kit.StartTimeout)

func throughLine(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	if apiServer == nil {
		apiServer = openLine(u.Host)
	}
	u.Host = apiServer.address
	return u.String(), nil
}

// proxyAddress chooses the address of the next replica's proxy and returns the flag for it.
func proxyAddress() string {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	address := listener.Addr().String()
	Expect(listener.Close()).To(Succeed())
	proxies = append(proxies, "http://"+address)
	return "--proxy-listen=" + address
}

// configure makes every kind of name count, so that each is logged.
func configure(ctx context.Context) {
	GinkgoHelper()
	Expect(s.EditConfiguration(ctx, func(data map[string]string) map[string]string {
		data["TRUST_PROXY_HEADERS"], data["TRUST_USERNAMES"] = "true", "true"
		return data
	})).To(Succeed())
	for _, r := range s.Replicas {
		Eventually(ctx, func() int {
			reply := send(ctx, http.MethodGet, r.URL+"/auth", http.Header{"X-Forwarded-User": {"someone"}}, "")
			return reply.status
		}).WithTimeout(patience).Should(Equal(http.StatusOK))
	}
}

// written returns everything that the programs have written.
func written() string {
	GinkgoHelper()
	all, err := s.Operator.Logs()
	Expect(err).NotTo(HaveOccurred())
	for _, r := range s.Replicas {
		logs, err := r.Logs()
		Expect(err).NotTo(HaveOccurred())
		all += fmt.Sprintf("%s:\n%s", r.Name, logs)
	}
	return all
}
