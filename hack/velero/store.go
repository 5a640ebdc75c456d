package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/vmware-tanzu/velero/pkg/plugin/velero"
)

// store is an object store in a folder.
type store struct {
	// root is that folder. No key leads out of it.
	root *os.Root
}

var _ velero.ObjectStore = &store{}

func (s *store) Init(config map[string]string) (err error) {
	s.root, err = os.OpenRoot(config["folder"])
	return err
}

// PutObject writes the object under another name first, so that no reader finds a part of it.
func (s *store) PutObject(bucket, key string, body io.Reader) error {
	name := path.Join(bucket, key)
	part := name + ".part"
	if err := s.root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	file, err := s.root.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, body)
	if err := errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, s.root.Remove(part))
	}
	return s.root.Rename(part, name)
}

func (s *store) ObjectExists(bucket, key string) (bool, error) {
	_, err := s.root.Stat(path.Join(bucket, key))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (s *store) GetObject(bucket, key string) (io.ReadCloser, error) {
	return s.root.Open(path.Join(bucket, key))
}

func (s *store) ListCommonPrefixes(bucket, prefix, delimiter string) ([]string, error) {
	keys, err := s.ListObjects(bucket, prefix)
	var found []string
	for _, key := range keys {
		if first, _, more := strings.Cut(strings.TrimPrefix(key, prefix), delimiter); more {
			found = append(found, prefix+first+delimiter)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), err
}

func (s *store) ListObjects(bucket, prefix string) ([]string, error) {
	var keys []string
	err := fs.WalkDir(s.root.FS(), bucket, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil || entry.IsDir():
			return err
		}
		if key := strings.TrimPrefix(name, bucket+"/"); strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
		return nil
	})
	return keys, err
}

func (s *store) DeleteObject(bucket, key string) error {
	err := s.root.Remove(path.Join(bucket, key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// CreateSignedURL serves commands such as velero backup logs, which the tests do not need.
func (s *store) CreateSignedURL(string, string, time.Duration) (string, error) {
	return "", errors.New("a folder has no addresses to download from: read its files")
}
