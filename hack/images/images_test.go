package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// static returns the smallest file that passes for a static program.
func static(machine elf.Machine, interpreter bool) []byte {
	var text bytes.Buffer
	header := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Phoff: 64, Ehsize: 64,
		Phentsize: 56}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS], header.Ident[elf.EI_DATA] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)
	header.Ident[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	if interpreter {
		header.Phnum = 1
	}
	_ = binary.Write(&text, binary.LittleEndian, header)
	_ = binary.Write(&text, binary.LittleEndian, elf.Prog64{Type: uint32(elf.PT_INTERP)})
	return text.Bytes()
}

// compiled returns a folder with made-up programs.
func compiled(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for platform, machine := range machines {
		for _, p := range programs {
			write(t, file(folder, p, platform), append(static(machine, false), p.name...))
		}
	}
	return folder
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o755); err != nil {
		t.Fatal(err)
	}
}

// archives builds all images and returns the folder with them.
func archives(t *testing.T, args ...string) string {
	t.Helper()
	out := t.TempDir()
	args = append([]string{"-version", "v1.2.3", "-revision", "abc", "-compiled", compiled(t), "-out", out}, args...)
	if err := run(t.Context(), args); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestImages_TwoBuildsAreEqual(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	first, second := archives(t), archives(t)
	files, err := filepath.Glob(filepath.Join(first, "*"))
	if err != nil || len(files) != 9 {
		t.Fatalf("archives: %q, %v", files, err)
	}
	for _, path := range files {
		one, err := os.ReadFile(path)
		two, other := os.ReadFile(filepath.Join(second, filepath.Base(path)))
		if err != nil || other != nil || !bytes.Equal(one, two) {
			t.Errorf("%s differs between two builds: %v, %v", filepath.Base(path), err, other)
		}
	}
}

func TestImages_DockerArchive(t *testing.T) {
	folder := archives(t)
	tag, _ := name.NewTag("keywright.dev/server:v1.2.3")
	for _, architecture := range []string{"amd64", "arm64"} {
		image, err := tarball.ImageFromPath(filepath.Join(folder, "server-"+architecture+".docker.tar"), &tag)
		if err != nil {
			t.Fatal(err)
		}
		checkServer(t, image, architecture)
	}
}

func TestImages_OCILayout(t *testing.T) {
	index := indexOf(t, filepath.Join(archives(t), "server.oci.tar"))
	top, err := index.IndexManifest()
	if err != nil || len(top.Manifests) != 1 {
		t.Fatalf("index.json: %+v, %v", top, err)
	}
	if got := top.Manifests[0].Annotations["io.containerd.image.name"]; got != "keywright.dev/server:v1.2.3" {
		t.Errorf("containerd would name the image %q", got)
	}
	image, err := index.ImageIndex(top.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	checkPlatforms(t, image)
}

func TestImages_Push(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	if err := run(t.Context(), []string{"-version", "v1.2.3", "-compiled", compiled(t), "-push",
		"-repository", host + "/keywright"}); err != nil {
		t.Fatal(err)
	}
	for _, p := range programs {
		tag, err := name.NewTag(host + "/keywright/" + p.name + ":v1.2.3")
		if err != nil {
			t.Fatal(err)
		}
		index, err := remote.Index(tag)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Index(index); err != nil {
			t.Error(err)
		}
	}
}

// indexOf unpacks an archive and returns its index.
func indexOf(t *testing.T, path string) v1.ImageIndex {
	t.Helper()
	packed, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	folder := t.TempDir()
	for archive := tar.NewReader(packed); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(header.Name, "/") {
			write(t, filepath.Join(folder, header.Name), content)
		}
	}
	index, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func checkPlatforms(t *testing.T, index v1.ImageIndex) {
	t.Helper()
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range manifest.Manifests {
		found = append(found, m.Platform.String())
		image, err := index.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		checkServer(t, image, m.Platform.Architecture)
	}
	if !slices.Equal(found, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("platforms %q", found)
	}
}

func checkServer(t *testing.T, image v1.Image, architecture string) {
	t.Helper()
	if err := validate.Image(image); err != nil {
		t.Error(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Architecture != architecture || config.OS != "linux" || config.Created.Unix() != 0 ||
		config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/server"}) {
		t.Errorf("configuration %+v", config)
	}
	for label, want := range map[string]string{"version": "v1.2.3", "revision": "abc", "licenses": "Apache-2.0"} {
		if got := config.Config.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("label %s is %q", label, got)
		}
	}
	files := contents(t, image)
	if !strings.HasSuffix(files["server"], "server") || !strings.Contains(files["etc/passwd"], "nonroot:x:65532:") {
		t.Errorf("the image lacks its program or its user")
	}
	if pool := x509.NewCertPool(); !pool.AppendCertsFromPEM([]byte(files["etc/ssl/certs/ca-certificates.crt"])) {
		t.Error("no certificate authority")
	}
}

// contents returns the files of an image.
func contents(t *testing.T, image v1.Image) map[string]string {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	flat := mutate.Extract(image)
	defer flat.Close()
	for archive := tar.NewReader(flat); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(content)
		if !header.ModTime.Equal(config.Created.Time) {
			t.Errorf("%s is from %s, the image from %s", header.Name, header.ModTime, config.Created)
		}
	}
}

func TestCertificates_AreAuthorities(t *testing.T) {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certificates())
	if count := strings.Count(string(certificates()), "BEGIN CERTIFICATE"); count < 100 {
		t.Errorf("%d certificates", count)
	}
}

func TestImages_Refusals(t *testing.T) {
	broken := func(content []byte) []string {
		folder := compiled(t)
		write(t, file(folder, programs[1], "linux/arm64"), content)
		return []string{"-compiled", folder}
	}
	for what, c := range map[string]struct {
		epoch, want string
		args        []string
	}{
		"no version":             {want: `the version "" must be like`, args: []string{"-version", ""}},
		"latest":                 {want: `the version "latest" must be like`, args: []string{"-version", "latest"}},
		"not a tag":              {want: `must be like`, args: []string{"-version", "v1 2"}},
		"an unknown platform":    {want: `no image for platform "plan9/amd64"`, args: []string{"-platforms", "plan9/amd64"}},
		"no platform":            {want: `no image for platform ""`, args: []string{"-platforms", ""}},
		"a repository of anyone": {want: "must begin with a registry", args: []string{"-repository", "keywright"}},
		"an invalid repository":  {want: "must begin with a registry", args: []string{"-repository", "https://example.com"}},
		"an invalid time":        {epoch: "today", want: `SOURCE_DATE_EPOCH="today"`},
		"a negative time":        {epoch: "-1", want: `SOURCE_DATE_EPOCH="-1"`},
		"no folder":              {want: "-out names no folder", args: []string{"-out", ""}},
		"a program of another machine": {want: "is for EM_X86_64, not for linux/arm64",
			args: broken(static(elf.EM_X86_64, false))},
		"a dynamic program": {want: "linked dynamically", args: broken(static(elf.EM_AARCH64, true))},
		"an empty program":  {want: "is not a program for linux", args: broken(nil)},
		"no programs":       {want: "no such file", args: []string{"-compiled", t.TempDir()}},
		"an unknown flag":   {want: "flag provided but not defined", args: []string{"-nope"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Setenv("SOURCE_DATE_EPOCH", c.epoch)
			out := t.TempDir()
			args := append([]string{"-version", "v1", "-compiled", "nowhere", "-out", out}, c.args...)
			if err := run(t.Context(), args); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want %q", err, c.want)
			}
			if left, _ := os.ReadDir(out); len(left) > 0 {
				t.Errorf("it wrote %v", left)
			}
		})
	}
}
