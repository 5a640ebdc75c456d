package routes_test

import (
	"net/url"
	"path"
	"slices"
	"strings"
)

// programs split the path of a request like programs behind the gate: into decoded segments, with an empty
// one at the end for a slash. Some programs are known to do this, others can be configured to. None refuses a
// request that it should refuse. They share no code with the package.
var programs = map[string]func(p string) []string{
	"Go's ServeMux": func(p string) []string { return decodeEach(strings.Split(cleanPath(p)[1:], "/")) },
	"decodes, merges slashes, resolves dots": func(p string) []string { // nginx, Apache
		return strings.Split(rfc3986(mergeSlashes(decoded(p)))[1:], "/")
	},
	"forwards the decoded path as a request": func(p string) []string { // nginx with proxy_pass to $uri, before WSGI
		p = rfc3986(mergeSlashes(decoded(p)))
		p = p[:indexOr(p, "?#")]
		return strings.Split(decoded(p)[1:], "/")
	},
	"drops parameters, decodes, resolves dots": func(p string) []string { // Tomcat with AllowBackslash
		segments := strings.Split(p, "/")
		for i, s := range segments {
			segments[i] = s[:indexOr(s, ";")]
		}
		p = strings.ReplaceAll(decoded(strings.Join(segments, "/")), `\`, "/")
		return strings.Split(rfc3986(mergeSlashes(p))[1:], "/")
	},
	"matrix parameters": func(p string) []string { // JAX-RS, Spring
		segments := strings.Split(p[1:], "/")
		for i, s := range segments {
			segments[i] = s[:indexOr(s, ";")]
		}
		return decodeEach(segments)
	},
	"session ids at the end": func(p string) []string { return decodeEach(strings.Split(p[1:indexOr(p, ";")], "/")) },
	"decodes only":           func(p string) []string { return strings.Split(decoded(p)[1:], "/") }, // WSGI, CGI, Rack
	"splits, then decodes":   func(p string) []string { return decodeEach(strings.Split(p[1:], "/")) },
	"WHATWG URL": func(p string) []string { // new URL(request.url, base) in JavaScript
		p = withoutHost(strings.ReplaceAll(p, `\`, "/"))
		segments := strings.Split(p[1:], "/")
		for i, s := range segments {
			if d := strings.ReplaceAll(strings.ToLower(s), "%2e", "."); d == "." || d == ".." {
				segments[i] = d
			}
		}
		return decodeEach(strings.Split(rfc3986("/" + strings.Join(segments, "/"))[1:], "/"))
	},
	"RFC 3986 reference, then decodes": func(p string) []string { // urlparse in Python, URI in Java
		return strings.Split(decoded(rfc3986(withoutHost(p)))[1:], "/")
	},
	"file names of Windows": func(p string) []string {
		return strings.Split(cleanPath(strings.ReplaceAll(decoded(p), `\`, "/"))[1:], "/")
	},
	"file names": func(p string) []string { return strings.Split(cleanPath(decoded(p))[1:], "/") },
	"decodes twice": func(p string) []string {
		return strings.Split(decoded(decoded(p))[1:], "/")
	},
	"decodes twice, then resolves dots": func(p string) []string {
		return strings.Split(cleanPath(strings.ReplaceAll(decoded(decoded(p)), `\`, "/"))[1:], "/")
	},
	"resolves dots, decodes, resolves dots": func(p string) []string { // two in a row
		return strings.Split(cleanPath(decoded(cleanPath(p)))[1:], "/")
	},
	"matrix parameters, decoded before": func(p string) []string {
		segments := strings.Split(decoded(p)[1:], "/")
		for i, s := range segments {
			segments[i] = s[:indexOr(s, ";")]
		}
		return segments
	},
}

func indexOr(s, chars string) int {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return i
	}
	return len(s)
}

// decoded leaves invalid escapes unchanged.
func decoded(s string) string {
	var b strings.Builder
	for s != "" {
		n := 1
		if s[0] == '%' && len(s) >= 3 {
			n = 3
		}
		c, err := url.PathUnescape(s[:n])
		if err != nil {
			c, n = "%", 1
		}
		b.WriteString(c)
		s = s[n:]
	}
	return b.String()
}

func decodeEach(segments []string) []string {
	segments = slices.Clone(segments)
	for i := range segments {
		segments[i] = decoded(segments[i])
	}
	return segments
}

func cleanPath(p string) string {
	clean := path.Clean(p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

func mergeSlashes(p string) string {
	var b strings.Builder
	for i := range len(p) {
		if p[i] != '/' || i == 0 || p[i-1] != '/' {
			b.WriteByte(p[i])
		}
	}
	return b.String()
}

func withoutHost(p string) string {
	if !strings.HasPrefix(p, "//") {
		return p
	}
	if i := strings.IndexByte(p[2:], '/'); i >= 0 {
		return p[2+i:]
	}
	return "/"
}

// rfc3986 is section 5.2.4, step by step.
func rfc3986(in string) string {
	out := ""
	for in != "" {
		switch {
		case strings.HasPrefix(in, "/./"):
			in = in[2:]
		case in == "/.":
			in = "/"
		case strings.HasPrefix(in, "/../"):
			in, out = in[3:], out[:max(0, strings.LastIndexByte(out, '/'))]
		case in == "/..":
			in, out = "/", out[:max(0, strings.LastIndexByte(out, '/'))]
		default:
			n := len(in)
			if i := strings.IndexByte(in[1:], '/'); i >= 0 {
				n = i + 1
			}
			out, in = out+in[:n], in[n:]
		}
	}
	return out
}
