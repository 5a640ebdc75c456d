package management

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// caller is somebody with a key, or a session, or nothing, at one replica.
type caller struct {
	url    string
	header http.Header
}

func at(url string) caller { return caller{url, http.Header{}} }

// with is the caller with one more header.
func (c caller) with(name, value string) caller {
	c.header = c.header.Clone()
	c.header.Add(name, value)
	return c
}

func (c caller) key(plaintext string) caller { return c.with("Authorization", "Bearer "+plaintext) }

// at is the caller at another replica.
func (c caller) at(url string) caller { c.url = url; return c }

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   map[string]any
	// text is the body as it came. It may hold a key.
	text string
}

// send returns the reply, which the document has to describe.
func (c caller) send(ctx context.Context, method, path, body string) reply {
	GinkgoHelper()
	r, err := c.try(ctx, method, path, body)
	Expect(err).NotTo(HaveOccurred())
	return r
}

func (c caller) try(ctx context.Context, method, path, body string) (reply, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	request.Header = c.header.Clone()
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return reply{}, err
	}
	r := reply{status: response.StatusCode, header: response.Header, text: string(content)}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(content, &r.body); err != nil {
			return r, err
		}
	}
	return r, document.check(request, r.status, content)
}

// at is a value in the body, at a path of names.
func (r reply) at(names ...string) any {
	var value any = r.body
	for _, name := range names {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}

func (r reply) string(names ...string) string {
	text, _ := r.at(names...).(string)
	return text
}

// gate is the status that a key gets at the gate of a replica.
func gate(ctx context.Context, url, plaintext string) int {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/auth", nil)
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Authorization", "Bearer "+plaintext)
	response, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	Expect(response.Body.Close()).To(Succeed())
	return response.StatusCode
}
