package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/httpapi"
)

func zipped(tb testing.TB, text string) string {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// cut ends with an error.
type cut struct{ io.Reader }

func (c cut) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestBodies_Read(t *testing.T) {
	const limit = 1 << 20
	full := strings.Repeat("x", limit)
	short := zipped(t, "text")
	for name, c := range map[string]struct {
		body      io.Reader
		encodings []string
		want      string
		status    int
		text      string
	}{
		"plain":              {body: strings.NewReader("text"), want: "text"},
		"empty":              {body: strings.NewReader("")},
		"identity":           {body: strings.NewReader("text"), encodings: []string{"identity"}, want: "text"},
		"as long as allowed": {body: strings.NewReader(full), want: full},
		"gzip":               {body: strings.NewReader(short), encodings: []string{"GZIP"}, want: "text"},
		"gzip in two parts":  {body: strings.NewReader(short + short), encodings: []string{"gzip"}, want: "texttext"},
		"too long": {
			body: strings.NewReader(full + "x"), status: 413, text: "The body is longer than 1 MiB",
		},
		"a bomb": {
			body: strings.NewReader(zipped(t, strings.Repeat(full, 100))), encodings: []string{"gzip"},
			status: 413, text: "The body is longer than 1 MiB",
		},
		"not gzip": {
			body: strings.NewReader("not compressed"), encodings: []string{"gzip"}, status: 400, text: "The body is not gzip",
		},
		"a wrong checksum": {
			body:      strings.NewReader(short[:len(short)-8] + "xxxxxxxx"),
			encodings: []string{"gzip"}, status: 400, text: "The body is not gzip",
		},
		"corrupt gzip": {
			body: strings.NewReader(short[:10] + "\xff\xff\xff\xff\xff"), encodings: []string{"gzip"},
			status: 400, text: "The body is not gzip",
		},
		"half of gzip": {
			body: strings.NewReader(short[:len(short)-9]), encodings: []string{"gzip"},
			status: 400, text: "The body can't be read to its end",
		},
		"half-sent": {
			body: cut{strings.NewReader("te")}, status: 400, text: "The body can't be read to its end",
		},
		"another encoding": {
			body: strings.NewReader("text"), encodings: []string{"br"},
			status: 415, text: "The Content-Encoding must be gzip, or absent",
		},
		"two encodings": {
			body: strings.NewReader(short), encodings: []string{"gzip", "gzip"},
			status: 415, text: "The Content-Encoding must be gzip, or absent",
		},
	} {
		t.Run(name, func(t *testing.T) {
			// Half of the next body would not fit if this one were held on.
			bodies := &httpapi.Bodies{Limit: limit, Total: limit + limit/2}
			r := httptest.NewRequest(http.MethodPost, "/", c.body)
			r.Header["Content-Encoding"] = c.encodings
			body, release, err := bodies.Read(httptest.NewRecorder(), r)
			var refused *httpapi.BodyError
			switch {
			case c.status == 0 && (err != nil || string(body) != c.want):
				t.Errorf("%d bytes, %v", len(body), err)
			case c.status != 0 && (!errors.As(err, &refused) || refused.Status != c.status || refused.Text != c.text):
				t.Errorf("%v, want %d %s", err, c.status, c.text)
			}
			if release != nil {
				release()
			}
			next := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(full))
			if _, _, err := bodies.Read(httptest.NewRecorder(), next); err != nil {
				t.Errorf("the next body: %v", err)
			}
		})
	}
}

func TestBodies_BoundAllBodiesTogether(t *testing.T) {
	bodies := &httpapi.Bodies{Limit: 10, Total: 15}
	read := func() (func(), error) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("0123456789"))
		_, release, err := bodies.Read(httptest.NewRecorder(), r)
		return release, err
	}
	release, err := read()
	if err != nil {
		t.Fatal(err)
	}
	var refused *httpapi.BodyError
	if _, err := read(); !errors.As(err, &refused) || refused.Status != 429 {
		t.Errorf("a second body: %v", err)
	}
	release()
	if _, err := read(); err != nil {
		t.Errorf("after the first was released: %v", err)
	}
}
