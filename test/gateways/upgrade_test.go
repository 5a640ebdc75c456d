package gateways

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// becomesWebsockets is about connections that change their protocol.
func becomesWebsockets(g *gateway) {
	if !g.noWebsockets {
		passesWebsockets(g)
	}
	// Requests could follow that nobody is asked about.
	for _, to := range []string{"Upgrade: h2c", "Upgrade: h2c, websocket", "Upgrade: websocket, h2c", "Upgrade: h2c\r\nUpgrade: websocket", "Upgrade: websocket\r\nUpgrade: h2c", "Upgrade: tls/1.2"} {
		It(fmt.Sprintf("lets a connection become nothing else: %q", to), func(ctx SpecContext) {
			connection := g.connect(ctx)
			upgrade(connection, to, "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", "Authorization: Bearer "+keys.get("reader"))
			head := headOf(bufio.NewReader(connection))
			// What the app is told to become, it says it has become.
			if strings.HasPrefix(head, "HTTP/1.1 101 ") {
				Expect(head).To(ContainSubstring("\r\nUpgrade: websocket\r\n"))
			}
		})
	}
}

func passesWebsockets(g *gateway) {
	It("lets a websocket through", func(ctx SpecContext) {
		connection := g.connect(ctx)
		lines := bufio.NewReader(connection)
		upgrade(connection, "Upgrade: websocket", "Authorization: Bearer "+keys.get("reader"))
		Expect(headOf(lines)).To(HavePrefix("HTTP/1.1 101 "))
		for _, word := range []string{"hello", "again"} {
			_, err := fmt.Fprintln(connection, word)
			Expect(err).NotTo(HaveOccurred())
			Expect(lines.ReadString('\n')).To(Equal(strings.ToUpper(word) + "\n"))
		}

		connection = g.connect(ctx)
		upgrade(connection, "Upgrade: websocket")
		Expect(headOf(bufio.NewReader(connection))).To(HavePrefix("HTTP/1.1 401 "))
	})
}

func upgrade(connection io.Writer, headers ...string) {
	GinkgoHelper()
	const request = "GET /socket HTTP/1.1\r\nHost: app.example.com\r\nConnection: Upgrade, HTTP2-Settings\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n\r\n"
	_, err := fmt.Fprintf(connection, request, strings.Join(headers, "\r\n"))
	Expect(err).NotTo(HaveOccurred())
}

// headOf reads status and headers.
func headOf(lines *bufio.Reader) string {
	GinkgoHelper()
	var head strings.Builder
	for {
		line, err := lines.ReadString('\n')
		Expect(err).NotTo(HaveOccurred())
		if line == "\r\n" {
			return head.String()
		}
		head.WriteString(line)
	}
}
