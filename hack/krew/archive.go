package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	_ "embed" // for the template
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"text/template"
)

// archive is the program for one platform, with its license.
type archive struct {
	OS, Arch string
	// Program is the name of the program in the archive. Krew links it as kubectl-keywright.
	Program string
	URL     string
	SHA256  string
}

// Name returns the name of the archive.
func (a *archive) Name() string { return "kubectl-keywright_" + a.OS + "_" + a.Arch + ".tar.gz" }

// build compiles the program and writes the archive.
func (a *archive) build(version, folder string) error {
	program, err := a.compile(version)
	if err != nil {
		return err
	}
	license, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	if err := pack(&packed, []file{{a.Program, 0o755, program}, {"LICENSE", 0o644, license}}); err != nil {
		return err
	}
	sum := sha256.Sum256(packed.Bytes())
	a.SHA256 = hex.EncodeToString(sum[:])
	return os.WriteFile(filepath.Join(folder, a.Name()), packed.Bytes(), 0o644)
}

func (a *archive) compile(version string) ([]byte, error) {
	folder, err := os.MkdirTemp("", "keywright-krew-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	output := filepath.Join(folder, a.Program)
	build := exec.Command("go", "-C", root, "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X main.version="+version, "-o", output, "./cmd/keywright")
	// The test sets CGO_ENABLED to what was compiled already.
	build.Env = append(os.Environ(), "GOOS="+a.OS, "GOARCH="+a.Arch, "CGO_ENABLED="+cmp.Or(os.Getenv("CGO_ENABLED"), "0"))
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, err
	}
	return os.ReadFile(output)
}

type file struct {
	name    string
	mode    int64
	content []byte
}

// pack writes an archive. It has no times and owners, so that the same files have the same checksum.
func pack(w io.Writer, files []file) error {
	compressed := gzip.NewWriter(w)
	archive := tar.NewWriter(compressed)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content)), Format: tar.FormatUSTAR}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(f.content); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return compressed.Close()
}

//go:embed keywright.yaml.tmpl
var manifestText string

var functions = template.FuncMap{"quote": strconv.Quote}

var manifest = template.Must(template.New("manifest").Funcs(functions).Parse(manifestText))

// writeManifest writes the manifest under the name that Krew expects, and has Krew check it.
func (o *options) writeManifest(folder string, archives []archive) error {
	var text bytes.Buffer
	err := manifest.Execute(&text, map[string]any{"Version": o.version, "Homepage": o.homepage, "Archives": archives})
	if err != nil {
		return err
	}
	path := filepath.Join(folder, "keywright.yaml")
	if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
		return err
	}
	return validated(path)
}
