//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// writeImage writes an image in the form of docker save, of one layer. Each of files is a file or a folder of this
// machine, followed by =PATH where it has another path in the image; the first one is what a container runs. Libraries
// that programs need come with them.
func writeImage(name, archive string, files []string) error {
	layer, err := packLayer(files)
	if err != nil {
		return err
	}
	diff := digest(layer)
	_, first := paths(files[0])
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": []string{first}, "User": "65532:65532",
			"Env": []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin:/"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + diff}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]map[string]any{{
		"Config": digest(config) + ".json", "RepoTags": []string{name}, "Layers": []string{diff + ".tar"},
	}})
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	out := tar.NewWriter(&packed)
	err = errors.Join(add(out, "manifest.json", 0o644, manifest), add(out, digest(config)+".json", 0o644, config),
		add(out, diff+".tar", 0o644, layer), out.Close())
	return errors.Join(err, os.WriteFile(archive, packed.Bytes(), 0o600))
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func add(out *tar.Writer, name string, mode int64, content []byte) error {
	if err := out.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := out.Write(content)
	return err
}

// packLayer packs files with their libraries, a /tmp for everyone, and a user without rights.
func packLayer(files []string) ([]byte, error) {
	var packed bytes.Buffer
	l := layer{out: tar.NewWriter(&packed), has: map[string]bool{}}
	err := errors.Join(
		l.out.WriteHeader(&tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}),
		add(l.out, "etc/passwd", 0o644, []byte("nonroot:x:65532:65532::/tmp:/sbin/nologin\n")),
		add(l.out, "etc/group", 0o644, []byte("nonroot:x:65532:\n")),
	)
	for _, file := range files {
		err = errors.Join(err, l.tree(paths(file)))
	}
	err = errors.Join(err, l.out.Close())
	return packed.Bytes(), err
}

// paths returns where a file is on this machine and in the image.
func paths(file string) (from, to string) {
	from, to, other := strings.Cut(file, "=")
	if !other {
		to = from
	}
	return from, to
}

type layer struct {
	out *tar.Writer
	has map[string]bool
}

// tree adds a file, or all files of a folder.
func (l *layer) tree(from, to string) error {
	return filepath.WalkDir(from, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, file)
		if err != nil || entry.IsDir() {
			return err
		}
		return l.file(file, path.Join(to, below))
	})
}

// file adds a file, with the content of what a link points to, and the libraries of a program.
func (l *layer) file(from, to string) error {
	if l.has[to] {
		return nil
	}
	l.has[to] = true
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := add(l.out, strings.TrimPrefix(to, "/"), 0o755, content); err != nil {
		return err
	}
	if !bytes.HasPrefix(content, []byte("\x7fELF")) {
		return nil
	}
	libraries, err := librariesOf(from)
	for _, library := range libraries {
		err = errors.Join(err, l.file(library, library))
	}
	return err
}

// librariesOf returns the paths in the output of ldd, whose lines are "libc.so.6 => /lib/libc.so.6 (0x…)" and
// "/lib64/ld-linux-x86-64.so.2 (0x…)". It fails for a program without libraries, and says so.
func librariesOf(program string) ([]string, error) {
	output, err := exec.Command("ldd", program).CombinedOutput()
	if err != nil {
		if bytes.Contains(output, []byte("not a dynamic executable")) {
			return nil, nil
		}
		return nil, fmt.Errorf("ldd %s: %w: %s", program, err, output)
	}
	var found []string
	for line := range strings.Lines(string(output)) {
		if strings.Contains(line, "not found") {
			return nil, fmt.Errorf("ldd %s: %s", program, strings.TrimSpace(line))
		}
		words := strings.Fields(line)
		if i := slices.IndexFunc(words, filepath.IsAbs); i >= 0 {
			found = append(found, words[i])
		}
	}
	return found, nil
}
