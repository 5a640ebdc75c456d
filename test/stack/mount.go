package stack

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// mount is a folder that shows a Secret as a pod sees it. It replaces the kubelet's mount: on a cluster the node, not
// the server's ServiceAccount, reads the pepper, so here the admin does. A kubelet takes up to a minute to show a
// change; mount shows it at once.
type mount struct {
	dir               string
	namespace, secret string
	client            client.WithWatch
}

// follow writes the Secret and every later state of it until ctx ends. It sends the result of a write to shown if
// there is a receiver.
func (m mount) follow(ctx context.Context, shown chan<- error) {
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		// A watch without a resource version starts with the existing objects.
		events, err := m.client.Watch(ctx, &corev1.SecretList{}, client.InNamespace(m.namespace),
			client.MatchingFields{"metadata.name": m.secret})
		if err != nil {
			return // the API server is unavailable: retried
		}
		defer events.Stop()
		for event := range events.ResultChan() {
			m.show(event, shown)
		}
	}, time.Second)
}

// show writes the Secret of an event. Like the kubelet it keeps the files of a deleted Secret.
func (m mount) show(event watch.Event, shown chan<- error) {
	secret, ok := event.Object.(*corev1.Secret)
	if !ok || event.Type == watch.Deleted {
		return
	}
	err := WriteMount(m.dir, secret.Data)
	select {
	case shown <- err:
	default:
	}
}

// dataLink is the symlink to the folder of the current files. Replacing it changes all files at once.
const dataLink = "..data"

// WriteMount replaces the files of a mounted Secret in one step: it writes them to a new folder, swaps ..data to that
// folder, and then removes the old one. Each name in dir is a symlink into ..data.
func WriteMount(dir string, data map[string][]byte) error {
	fresh, err := os.MkdirTemp(dir, "..")
	if err != nil {
		return err
	}
	old, _ := os.Readlink(filepath.Join(dir, dataLink)) // fails the first time
	for name, content := range data {
		if err := os.WriteFile(filepath.Join(fresh, name), content, 0o400); err != nil {
			return err
		}
	}
	if err := swap(dir, filepath.Base(fresh)); err != nil {
		return err
	}
	if err := relink(dir, data); err != nil || old == "" {
		return err
	}
	return os.RemoveAll(filepath.Join(dir, old))
}

// swap makes ..data point to the folder fresh, atomically.
func swap(dir, fresh string) error {
	next := filepath.Join(dir, dataLink+"_tmp")
	return errors.Join(os.RemoveAll(next), os.Symlink(fresh, next), os.Rename(next, filepath.Join(dir, dataLink)))
}

// relink makes dir show exactly the names in data, beside the entries that start with dots.
func relink(dir string, data map[string][]byte) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	shown := map[string]bool{}
	for _, entry := range entries {
		_, wanted := data[entry.Name()]
		if shown[entry.Name()] = wanted; wanted || entry.Name()[0] == '.' {
			continue
		}
		errs = append(errs, os.Remove(filepath.Join(dir, entry.Name())))
	}
	for name := range data {
		if !shown[name] {
			errs = append(errs, os.Symlink(filepath.Join(dataLink, name), filepath.Join(dir, name)))
		}
	}
	return errors.Join(errs...)
}
