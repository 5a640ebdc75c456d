package certfiles

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync/atomic"
)

// maxFile bounds a file in bytes.
const maxFile = 1 << 20

// part is a group of files that belong together.
type part struct {
	// what names the content, for people.
	what  string
	files []string
	// use takes contents that can be used.
	use func(contents [][]byte) error
	// used is what was taken last.
	used [][]byte
	// fault is why the files can't be used now, or nil.
	fault atomic.Pointer[error]
}

// load uses the files if they have changed.
func (p *part) load() (changed bool, err error) {
	contents := make([][]byte, len(p.files))
	for i, name := range p.files {
		if contents[i], err = read(name); err != nil {
			return false, err
		}
	}
	if slices.EqualFunc(contents, p.used, bytes.Equal) {
		return false, nil
	}
	if err := p.use(contents); err != nil {
		return false, err
	}
	p.used = contents
	return true, nil
}

// report keeps an error as the fault. It reports whether the error is a new one.
func (p *part) report(err error) bool {
	before := p.fault.Load()
	if err == nil {
		p.fault.Store(nil)
		return false
	}
	p.fault.Store(&err)
	return before == nil || (*before).Error() != err.Error()
}

func read(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s does not exist", name)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", name)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(content) > maxFile:
		return nil, fmt.Errorf("%s is larger than 1 MiB", name)
	case len(bytes.TrimSpace(content)) == 0:
		return nil, fmt.Errorf("%s is empty", name)
	}
	return content, nil
}

// certificates parses all certificates in PEM. One that is malformed, or was not written to its end, is an error.
func certificates(content []byte) (all []*x509.Certificate, err error) {
	begun := bytes.Count(content, []byte("-----BEGIN "))
	for {
		block, rest := pem.Decode(content)
		if block == nil {
			break
		}
		content = rest
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("has a block of type %q among the certificates", block.Type)
		}
		one, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d can't be read: %w", len(all)+1, err)
		}
		all = append(all, one)
	}
	switch {
	case begun == 0:
		return nil, errors.New("has no certificate in PEM")
	case len(all) < begun:
		return nil, fmt.Errorf("%d of %d certificates are malformed or cut off", begun-len(all), begun)
	}
	return all, nil
}
