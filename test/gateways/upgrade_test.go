package gateways

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// becomesWebsockets declares the specs of connections that switch protocols.
func becomesWebsockets(g *gateway) {
	if !g.noWebsockets {
		passesWebsockets(g)
	}
	// Further requests on the connection would not be checked.
	for _, to := range []string{"Upgrade: h2c", "Upgrade: h2c, websocket", "Upgrade: websocket, h2c",
		"Upgrade: h2c\r\nUpgrade: websocket", "Upgrade: websocket\r\nUpgrade: h2c", "Upgrade: tls/1.2"} {
		It(fmt.Sprintf("does not let a connection switch to: %q", to), func(ctx SpecContext) {
			connection := g.connect(ctx)
			upgrade(connection, to, "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", "Authorization: Bearer "+keys.get("reader"))
			head := headOf(bufio.NewReader(connection))
			// The app confirms every switch that it is asked for.
			if strings.HasPrefix(head, "HTTP/1.1 101 ") {
				Expect(head).To(ContainSubstring("\r\nUpgrade: websocket\r\n"))
			}
		})
	}
}

func passesWebsockets(g *gateway) {
	It("passes a websocket on", func(ctx SpecContext) {
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

// headOf reads the status line and headers.
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
