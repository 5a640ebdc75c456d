package apiclient

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ReasonHeader carries the reason of a change, for the audit trail and the event.
const ReasonHeader = "Keywright-Reason"

// maxReply bounds a reply. A page of 1,000 keys with long policies stays below it.
const maxReply = 64 << 20

// Client sends requests to one server. All fields but URL may be left empty.
type Client struct {
	// URL is the server's address: https://keys.example.com. A path is kept as a prefix.
	URL *url.URL
	// Key authenticates every request, unless it is empty.
	Key string
	// Username is sent as the saved name, when there is no key.
	Username string
	// Reason is sent with every request that changes something.
	Reason string
	// UserAgent identifies the program.
	UserAgent string
	// HTTP sends requests; nil means http.DefaultClient.
	HTTP *http.Client
	// OnRetry is called before a request is repeated, with the reason and the wait.
	OnRetry func(status int, wait time.Duration)
	// Before is called with each request before it is sent. An error stops it, and is returned as it is.
	Before func(r *http.Request, body []byte) error
	// Wait waits before a request is repeated; nil means a timer.
	Wait func(ctx context.Context, d time.Duration) error

	// onRead is called before each part of a reply is read, and what it returns afterwards. May be nil.
	onRead func() (done func() bool)
}

// ParseURL parses a server's address.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		var why *url.Error
		if errors.As(err, &why) {
			err = why.Err
		}
		return nil, fmt.Errorf("the server's address can't be read: %w", err)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, errors.New("the server's address must begin with https:// or http:// and name a host")
	case u.User != nil:
		return nil, errors.New("the server's address must not have a user name or password: " +
			"a key belongs in --api-key or a profile")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the server's address must not have a query or fragment")
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return u, nil
}

// once returns the header of a request that creates something, for one call. The request may be repeated without
// creating anything twice: by the client, if the server or a proxy asks for that, and by net/http, if a connection
// breaks.
func once() http.Header { return http.Header{"Idempotency-Key": {rand.Text()}} }

// Request is one call.
type Request struct {
	Method string
	// Path is the escaped path below the server's address: /api/auth/me.
	Path  string
	Query url.Values
	// Body is sent as JSON, or as a form if it is url.Values, or as it is if it is []byte. nil sends no body.
	Body any
	// Header is sent besides the client's own.
	Header http.Header
}

// Reply is a successful reply.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request and returns the reply. A status from 400 on is an *Error.
func (c *Client) Do(ctx context.Context, r *Request) (reply *Reply, err error) {
	err = c.attempt(ctx, r, func(response *http.Response) (err error) {
		reply, err = c.read(response)
		return err
	})
	return reply, err
}

// attempt sends a request, and once more if the server asks for that. receive reads the body of a successful reply.
func (c *Client) attempt(ctx context.Context, r *Request, receive func(*http.Response) error) error {
	body, contentType, err := encode(r.Body)
	if err != nil {
		return err
	}
	err = c.send(ctx, r, body, contentType, receive)
	var refused *Error
	if !errors.As(err, &refused) {
		return err
	}
	wait, again := refused.retryAfter()
	if !again {
		return err
	}
	if c.OnRetry != nil {
		c.OnRetry(refused.Status, wait)
	}
	if err := c.wait(ctx, wait); err != nil {
		return refused
	}
	return c.send(ctx, r, body, contentType, receive)
}

func (c *Client) wait(ctx context.Context, d time.Duration) error {
	if c.Wait != nil {
		return c.Wait(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// call sends a request and decodes the reply into v.
func (c *Client) call(ctx context.Context, r *Request, v any) error {
	reply, err := c.Do(ctx, r)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(reply.Body, v); err != nil {
		return fmt.Errorf("%s does not reply like a Keywright server: %s is not the JSON that was expected",
			c.URL, cmp.Or(reply.Header.Get("Content-Type"), "the body"))
	}
	return nil
}

func encode(body any) (encoded []byte, contentType string, err error) {
	switch b := body.(type) {
	case nil:
		return nil, "", nil
	case []byte:
		return b, "application/json", nil
	case url.Values:
		return []byte(b.Encode()), "application/x-www-form-urlencoded", nil
	}
	encoded, err = json.Marshal(body)
	return encoded, "application/json", err
}

func (c *Client) send(
	ctx context.Context, r *Request, body []byte, contentType string, receive func(*http.Response) error,
) error {
	request, err := c.build(ctx, r, body, contentType)
	if err != nil {
		return err
	}
	if c.Before != nil {
		if err := c.Before(request, body); err != nil {
			return err
		}
	}
	begun := time.Now()
	response, err := cmp.Or(c.HTTP, http.DefaultClient).Do(request)
	if err != nil {
		return c.lost(err, time.Since(begun))
	}
	defer func() { _ = response.Body.Close() }()
	response.Body = &timedBody{response.Body, c, begun}
	if response.StatusCode < http.StatusBadRequest {
		return receive(response)
	}
	refusal, err := c.read(response)
	if err != nil {
		return err
	}
	return readError(response, refusal.Body)
}

// read returns a reply with its whole body.
func (c *Client) read(response *http.Response) (*Reply, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxReply+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxReply {
		return nil, fmt.Errorf("%s replied more than %d MiB", c.URL, maxReply>>20)
	}
	return &Reply{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}

// timedBody is the body of a reply. Its errors say what was tried, and for how long.
type timedBody struct {
	io.ReadCloser
	client *Client
	begun  time.Time
}

// Read implements io.Reader.
func (b *timedBody) Read(into []byte) (int, error) {
	if b.client.onRead != nil {
		defer b.client.onRead()()
	}
	n, err := b.ReadCloser.Read(into)
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.client.lost(err, time.Since(b.begun))
	}
	return n, err
}

func (c *Client) build(ctx context.Context, r *Request, body []byte, contentType string) (*http.Request, error) {
	target := c.URL.String() + r.Path
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	header := request.Header
	header.Set("Accept", "application/json")
	if c.UserAgent != "" {
		header.Set("User-Agent", c.UserAgent)
	}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	switch {
	case c.Key != "":
		header.Set("Authorization", "Bearer "+c.Key)
	case c.Username != "":
		header.Set("Cookie", "keywright_user="+url.QueryEscape(c.Username))
	}
	if c.Reason != "" && r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set(ReasonHeader, c.Reason)
	}
	for name, values := range r.Header {
		header[name] = values
	}
	return request, nil
}
