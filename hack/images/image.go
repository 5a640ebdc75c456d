package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// built is a program's image for each platform, and the index of them.
type built struct {
	program  string
	tag      name.Tag
	index    v1.ImageIndex
	platform map[string]v1.Image
}

func (r *release) build(ctx context.Context) ([]built, error) {
	shared, err := layer(base(), r.created)
	if err != nil {
		return nil, err
	}
	var all []built
	for _, p := range programs {
		b := built{program: p.name, platform: map[string]v1.Image{}}
		if b.tag, err = name.NewTag(r.repository + "/" + p.name + ":" + r.version); err != nil {
			return nil, err
		}
		b.index = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
		for _, platform := range r.platforms {
			image, err := r.image(ctx, p, platform, shared)
			if err != nil {
				return nil, err
			}
			b.platform[platform] = image
			b.index = mutate.AppendManifests(b.index, mutate.IndexAddendum{
				Add: image, Descriptor: v1.Descriptor{Platform: platformOf(platform)},
			})
		}
		b.index = mutate.Annotations(b.index, r.labels(p)).(v1.ImageIndex)
		all = append(all, b)
	}
	return all, nil
}

// image returns the image of a program for one platform.
func (r *release) image(ctx context.Context, p program, platform string, shared v1.Layer) (v1.Image, error) {
	content, err := r.binary(ctx, p, platform)
	if err != nil {
		return nil, err
	}
	own, err := layer([]entry{{name: p.name, mode: 0o755, content: content}}, r.created)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	history := func(text string) v1.History { return v1.History{Created: v1.Time{Time: r.created}, CreatedBy: text} }
	image, err = mutate.Append(image,
		mutate.Addendum{Layer: shared, History: history("certificate authorities, user nonroot, folders")},
		mutate.Addendum{Layer: own, History: history(fmt.Sprintf("%s %s", p.name, r.version))},
	)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.Created = v1.Time{Time: r.created}
	config.OS, config.Architecture = platformOf(platform).OS, platformOf(platform).Architecture
	config.Config = v1.Config{
		Entrypoint: []string{"/" + p.name},
		Env:        []string{"PATH=/"},
		WorkingDir: "/home/nonroot",
		// As a number: a cluster that requires non-root users cannot check a name.
		User:   strconv.Itoa(user) + ":" + strconv.Itoa(user),
		Labels: r.labels(p),
	}
	return mutate.ConfigFile(image, config)
}

// labels are the annotations of the image specification, which images have as labels too.
func (r *release) labels(p program) map[string]string {
	labels := map[string]string{
		"org.opencontainers.image.title":    p.title,
		"org.opencontainers.image.version":  r.version,
		"org.opencontainers.image.licenses": "Apache-2.0",
		"org.opencontainers.image.url":      "https://keywright.dev",
		"org.opencontainers.image.created":  r.created.Format(time.RFC3339),
	}
	if r.revision != "" {
		labels["org.opencontainers.image.revision"] = r.revision
	}
	return labels
}

func platformOf(text string) *v1.Platform {
	system, architecture, _ := strings.Cut(text, "/")
	return &v1.Platform{OS: system, Architecture: architecture}
}
