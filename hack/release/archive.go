package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

type file struct {
	name    string
	mode    int64
	content []byte
}

// packTo writes an archive. It has no times and owners, so that the same files make the same archive.
func packTo(path string, files []file) error {
	var packed bytes.Buffer
	if err := pack(&packed, files); err != nil {
		return err
	}
	return os.WriteFile(path, packed.Bytes(), 0o644)
}

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

var (
	chartVersion = regexp.MustCompile(`(?m)^version: (\S+)$`)
	appVersion   = regexp.MustCompile(`(?m)^appVersion: (\S+)$`)
)

// chart writes the archive of the Helm chart, as `helm package` does, but for times. Chart.yaml comes first.
func (r *release) chart(folder string) error {
	head, err := os.ReadFile(filepath.Join(folder, "Chart.yaml"))
	if err != nil {
		return err
	}
	version, app := chartVersion.FindSubmatch(head), appVersion.FindSubmatch(head)
	if version == nil || app == nil || "v"+string(version[1]) != r.version || string(app[1]) != r.version {
		return fmt.Errorf("%s/Chart.yaml must have version: %s and appVersion: %s", folder,
			strings.TrimPrefix(r.version, "v"), r.version)
	}
	name := filepath.Base(folder)
	files := []file{{name + "/Chart.yaml", 0o644, head}}
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") || path == filepath.Join(folder, "Chart.yaml") {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(folder, path)
		files = append(files, file{name + "/" + filepath.ToSlash(relative), 0o644, content})
		return err
	})
	if err != nil {
		return err
	}
	return packTo(filepath.Join(r.out, name+"-"+string(version[1])+".tgz"), files)
}

const sumsName = "SHA256SUMS"

// writeSums writes the checksums of all files in a folder, for `sha256sum -c`.
func writeSums(folder string) error {
	var sums strings.Builder
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == sumsName {
			return err
		}
		content, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = content.Close() }()
		hash := sha256.New()
		if _, err := io.Copy(hash, content); err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		fmt.Fprintf(&sums, "%x  %s\n", hash.Sum(nil), filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, sumsName), []byte(sums.String()), 0o644)
}
