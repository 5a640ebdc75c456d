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

// caller is a client with a key, a session or neither, at one replica.
type caller struct {
	url    string
	header http.Header
}

func at(url string) caller { return caller{url, http.Header{}} }

// with returns the caller with one more header.
func (c caller) with(name, value string) caller {
	c.header = c.header.Clone()
	c.header.Add(name, value)
	return c
}

func (c caller) key(plaintext string) caller { return c.with("Authorization", "Bearer "+plaintext) }

// at returns the caller at another replica.
func (c caller) at(url string) caller { c.url = url; return c }

// reply is an HTTP reply.
type reply struct {
	status int
	header http.Header
	body   map[string]any
	// text is the whole body. It may contain a key.
	text string
}

// send sends a request. The document has to describe the reply.
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

// at returns the value at a path of names in the body.
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
