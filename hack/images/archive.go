package main

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// writeAll writes two kinds of archives of each image: one in OCI's image layout with all platforms, and one for each
// platform in Docker's own form, which every version of `docker load` accepts.
func writeAll(folder string, images []built) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, b := range images {
		if err := b.writeLayout(filepath.Join(folder, b.program+".oci.tar")); err != nil {
			return fmt.Errorf("%s: %w", b.program, err)
		}
		for platform, image := range b.platform {
			_, architecture, _ := strings.Cut(platform, "/")
			path := filepath.Join(folder, b.program+"-"+architecture+".docker.tar")
			if err := tarball.WriteToFile(path, b.tag, image); err != nil {
				return fmt.Errorf("%s for %s: %w", b.program, platform, err)
			}
		}
	}
	return nil
}

// writeLayout writes an archive in OCI's image layout. Both annotations name the image: containerd reads the first, and
// other tools the second.
func (b *built) writeLayout(path string) error {
	folder, err := os.MkdirTemp("", "keywright-images-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	l, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	if err := l.AppendIndex(b.index, layout.WithAnnotations(map[string]string{
		"io.containerd.image.name":          b.tag.Name(),
		"org.opencontainers.image.ref.name": b.tag.TagStr(),
	})); err != nil {
		return err
	}
	return packFolder(path, folder)
}

// packFolder writes the files of a folder in the order of their names, without times and owners. An archive appears
// when it is complete.
func packFolder(path, folder string) error {
	part, err := os.CreateTemp(filepath.Dir(path), ".part-")
	if err != nil {
		return err
	}
	defer os.Remove(part.Name())
	archive := tar.NewWriter(part)
	err = filepath.WalkDir(folder, func(file string, d fs.DirEntry, err error) error {
		if err != nil || file == folder {
			return err
		}
		return add(archive, folder, file, d)
	})
	if err == nil {
		err = archive.Close()
	}
	if closed := part.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if err := os.Chmod(part.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(part.Name(), path)
}

func add(archive *tar.Writer, folder, file string, d fs.DirEntry) error {
	name, err := filepath.Rel(folder, file)
	if err != nil {
		return err
	}
	if d.IsDir() {
		return archive.WriteHeader(&tar.Header{Name: name + "/", Mode: 0o755, Format: tar.FormatUSTAR})
	}
	content, err := os.Open(file)
	if err != nil {
		return err
	}
	defer content.Close()
	state, err := content.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{Name: name, Mode: 0o644, Size: state.Size(), Format: tar.FormatUSTAR}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(archive, content)
	return err
}

// pushAll pushes the images, with the credentials of `docker login` and the like.
func pushAll(ctx context.Context, images []built) error {
	for _, b := range images {
		err := remote.WriteIndex(b.tag, b.index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
		if err != nil {
			return fmt.Errorf("%s: %w", b.tag, err)
		}
		digest, err := b.index.Digest()
		if err != nil {
			return err
		}
		fmt.Printf("%s@%s\n", b.tag, digest)
	}
	return nil
}
