package certfiles_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/server/certfiles"
	"keywright.dev/keywright/test/certs"
	"keywright.dev/keywright/test/kit"
)

// host is the name in the certificates.
const host = "keywright.test"

// fixture is a mounted certificate with the authorities of clients.
type fixture struct {
	mount     certs.Mount
	authority *certs.Authority
	pair      certs.Pair
	clients   *certs.Authority
	files     *certfiles.Files
	log       *kit.Log
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{authority: certs.New(t), clients: certs.New(t), log: &kit.Log{}}
	f.pair = f.authority.Lasting(t, host)
	f.mount = certs.Mounted(t, f.content(f.pair))
	files, err := certfiles.Open(f.options(time.Now))
	must(t, err)
	f.files = files
	return f
}

func (f *fixture) content(pair certs.Pair) map[string][]byte {
	content := pair.Files()
	content["ca.crt"] = f.clients.PEM
	return content
}

func (f *fixture) options(now func() time.Time) certfiles.Options {
	return certfiles.Options{
		CertFile: f.mount.File("tls.crt"), KeyFile: f.mount.File("tls.key"), ClientCAFile: f.mount.File("ca.crt"),
		Now: now, Log: slog.New(slog.NewTextHandler(f.log, nil)),
	}
}

// fault is a content of one file that can't be used, and what the error says.
type fault struct{ file, content, want string }

// faults are all kinds of faults, by name.
func (f *fixture) faults(t *testing.T) map[string]fault {
	t.Helper()
	const crt, key, ca, mismatch = "tls.crt", "tls.key", "ca.crt", "are not a certificate and its key"
	other := f.authority.Lasting(t, host)
	chain, private, clients := string(f.pair.Certificate), string(f.pair.Key), string(f.clients.PEM)
	return map[string]fault{
		"no certificate":       {crt, "", "tls.crt is empty"},
		"blanks":               {crt, " \n", "tls.crt is empty"},
		"a text":               {crt, "hello", "tls.crt: has no certificate in PEM"},
		"in DER":               {crt, "\x30\x82\x01", "tls.crt: has no certificate in PEM"},
		"half a certificate":   {crt, chain[:len(chain)/2], "tls.crt: 1 of 1 certificates are"},
		"half an intermediate": {crt, chain + clients[:100], "tls.crt: 1 of 2 certificates are"},
		"a key as certificate": {crt, private, `tls.crt: has a block of type "PRIVATE KEY"`},
		"not X.509": {
			crt, strings.ReplaceAll(private, "PRIVATE KEY", "CERTIFICATE"), "certificate 1 can't be read",
		},
		"no key":                  {key, "", "tls.key is empty"},
		"half a key":              {key, private[:len(private)/2], mismatch},
		"the key of another":      {key, string(other.Key), mismatch},
		"another's certificate":   {crt, string(other.Certificate), mismatch},
		"too large":               {crt, strings.Repeat("x", 1<<20+1), "tls.crt is larger than 1 MiB"},
		"no authorities":          {ca, "\n", "ca.crt is empty"},
		"a text for authorities":  {ca, "hello", "ca.crt: has no certificate in PEM"},
		"half of the authorities": {ca, clients + clients[:100], "ca.crt: 1 of 2 certificates are"},
		"a malformed authority":   {ca, clients[:40] + "!!" + clients[40:] + clients, "ca.crt: 1 of 2 certificates are"},
		"a key as authority":      {ca, clients + private, `ca.crt: has a block of type "PRIVATE KEY"`},
	}
}

// replace writes the content of the fixture.
func (f *fixture) replace(t *testing.T) {
	t.Helper()
	f.mount.Replace(t, f.content(f.pair))
}

func (f *fixture) replaceBy(t *testing.T, wrong fault) {
	t.Helper()
	content := f.content(f.pair)
	content[wrong.file] = []byte(wrong.content)
	f.mount.Replace(t, content)
}

func TestOpen_NamesTheFault(t *testing.T) {
	f := newFixture(t)
	for name, c := range f.faults(t) {
		t.Run(name, func(t *testing.T) {
			f.replaceBy(t, c)
			_, err := certfiles.Open(f.options(time.Now))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), f.mount.Dir) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), string(f.pair.Key[40:60])) {
				t.Errorf("the error has a part of the key: %v", err)
			}
		})
	}
}

func TestOpen_NamesAMissingFile(t *testing.T) {
	f := newFixture(t)
	for name, change := range map[string]func(*certfiles.Options){
		"/nonexistent/tls.crt does not exist":   func(o *certfiles.Options) { o.CertFile = "/nonexistent/tls.crt" },
		"/nonexistent/tls.key does not exist":   func(o *certfiles.Options) { o.KeyFile = "/nonexistent/tls.key" },
		"/nonexistent/ca.crt does not exist":    func(o *certfiles.Options) { o.ClientCAFile = "/nonexistent/ca.crt" },
		f.mount.Dir + " is not a file":          func(o *certfiles.Options) { o.CertFile = f.mount.Dir },
		"/dev/null is not a file":               func(o *certfiles.Options) { o.ClientCAFile = "/dev/null" },
		f.mount.File("tls.crt") + "/x: not a d": func(o *certfiles.Options) { o.KeyFile = f.mount.File("tls.crt") + "/x" },
	} {
		o := f.options(time.Now)
		change(&o)
		if _, err := certfiles.Open(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %s", err, name)
		}
	}
}

// What is in use stays, and is reported once, until the files are right again.
func TestCheck_KeepsWhatIsInUse(t *testing.T) {
	f := newFixture(t)
	for name, c := range f.faults(t) {
		t.Run(name, func(t *testing.T) {
			f.replace(t)
			f.files.Check()
			before := len(f.log.Lines("can't be used"))
			f.replaceBy(t, c)
			for range 3 {
				f.files.Check()
			}
			if err := f.files.Refused(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if n := len(f.log.Lines("can't be used")) - before; n != 1 {
				t.Errorf("%d lines in the log:\n%s", n, f.log)
			}
			if serial := f.serial(t); serial != f.pair.Serial {
				t.Errorf("certificate %s is in use, want %s", serial, f.pair.Serial)
			}
			f.replace(t)
			f.files.Check()
			if err := f.files.Refused(); err != nil {
				t.Errorf("the files are right again: %v", err)
			}
		})
	}
}

// The authorities are followed although the certificate can't be used, and the other way round.
func TestCheck_FollowsEachPartByItself(t *testing.T) {
	f := newFixture(t)
	next, clients := f.authority.Lasting(t, host), certs.New(t)
	f.mount.Replace(t, map[string][]byte{"tls.crt": next.Certificate, "tls.key": next.Key, "ca.crt": nil})
	f.files.Check()
	if serial := f.serial(t); serial != next.Serial {
		t.Errorf("certificate %s, want %s", serial, next.Serial)
	}
	f.mount.Replace(t, map[string][]byte{"tls.crt": nil, "tls.key": next.Key, "ca.crt": clients.PEM})
	f.files.Check()
	own := clients.Lasting(t)
	if err := f.shake(t, mutual, &own); err != nil {
		t.Errorf("a client of the new authority: %v", err)
	}
	if f.files.Refused() == nil {
		t.Error("an empty certificate is not reported")
	}
}

func TestCheck_FilesMayDisappear(t *testing.T) {
	f := newFixture(t)
	must(t, os.Remove(filepath.Join(f.mount.Dir, "tls.key")))
	f.files.Check()
	if err := f.files.Refused(); err == nil || !strings.Contains(err.Error(), "tls.key does not exist") {
		t.Error(err)
	}
	if serial := f.serial(t); serial != f.pair.Serial {
		t.Errorf("certificate %s, want %s", serial, f.pair.Serial)
	}
}

// A client that checks the certificate refuses the server. One that doesn't is served.
func TestEndedCertificate_IsServedAndLoggedOnce(t *testing.T) {
	f := newFixture(t)
	f.pair = f.authority.Issue(t, time.Now().Add(-time.Hour), host)
	f.replace(t)
	files, err := certfiles.Open(f.options(time.Now))
	must(t, err)
	for range 3 {
		files.Check()
	}
	if lines := f.log.Lines("has ended"); len(lines) != 1 || !files.Ended() {
		t.Errorf("ended: %t; %q", files.Ended(), lines)
	}
	f.files = files
	if serial := f.serial(t); serial != f.pair.Serial {
		t.Errorf("certificate %s, want %s", serial, f.pair.Serial)
	}
	f.pair = f.authority.Lasting(t, host)
	f.replace(t)
	files.Check()
	if files.Ended() || len(f.log.Lines("has ended")) != 1 {
		t.Error("the new certificate has ended")
	}
}

func TestCertificate_EndsWhileInUse(t *testing.T) {
	f := newFixture(t)
	now := time.Now()
	files, err := certfiles.Open(f.options(func() time.Time { return now }))
	must(t, err)
	now = files.End().Add(-time.Second)
	files.Check()
	if files.Ended() || len(f.log.Lines("has ended")) > 0 {
		t.Error("it has ended a second before its end")
	}
	now = files.End()
	files.Check()
	if !files.Ended() || len(f.log.Lines("has ended")) != 1 {
		t.Error("it has not ended")
	}
}

func TestRun_ChecksUntilTheEnd(t *testing.T) {
	f := newFixture(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		next := f.authority.Lasting(t, host)
		time.AfterFunc(time.Second, func() { f.mount.Replace(t, f.content(next)) })
		f.files.Run(ctx)
		if end := f.files.End(); !end.Equal(next.TLS.Leaf.NotAfter) {
			t.Errorf("the new certificate is not in use: %s", end)
		}
	})
	if lines := f.log.Lines("Changed files are in use"); len(lines) != 1 {
		t.Errorf("%q", lines)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
