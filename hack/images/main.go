// Command images builds the images of Keywright's programs without Docker, as archives that container tools import, or
// pushes them to a registry. Run it in its own folder.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// root is the folder of the checkout.
var root = filepath.Join("..", "..")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

// release is one version of every image.
type release struct {
	version, revision string
	// repository is the first part of every image's name: keywright.dev or registry.example.com/keywright.
	repository string
	platforms  []string
	// created is the time in the images. Files have it too, so that it is the only time in an archive.
	created time.Time
	// compiled is a folder with compiled programs, such as linux_arm64/server. Empty: compile them.
	compiled string
}

func run(ctx context.Context, args []string) error {
	var r release
	set := flag.NewFlagSet("images", flag.ContinueOnError)
	set.StringVar(&r.version, "version", "", "version of the programs, and tag of the images: v1.2.3")
	set.StringVar(&r.revision, "revision", "", "commit that the programs are built from")
	set.StringVar(&r.repository, "repository", "keywright.dev", "what the names of the images begin with")
	set.StringVar(&r.compiled, "compiled", "", "folder with compiled programs; default: compile them")
	platforms := set.String("platforms", allPlatforms, "platforms to build for")
	out := set.String("out", "", "folder for the archives")
	push := set.Bool("push", false, "push the images to the registry of -repository, and write no archive")
	if err := set.Parse(args); err != nil {
		return err
	}
	r.platforms = strings.Split(*platforms, ",")
	if err := r.complete(os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		return err
	}
	if *out == "" && !*push {
		return errors.New("-out names no folder")
	}
	images, err := r.build(ctx)
	switch {
	case err != nil:
		return err
	case *push:
		return pushAll(ctx, images)
	}
	return writeAll(*out, images)
}

const allPlatforms = "linux/amd64,linux/arm64"

// validTag is what a registry accepts as a tag.
var validTag = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

// validRepository needs a registry, which has a dot or a port: container tools take any other first part as a folder of
// Docker Hub, which anyone can own.
var validRepository = regexp.MustCompile(
	`^([a-z0-9-]+\.[a-z0-9.-]+(:\d+)?|[a-z0-9.-]+:\d+)(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`)

// complete checks the flags. The epoch is the time of the images in seconds, as other build tools take it from
// SOURCE_DATE_EPOCH.
func (r *release) complete(epoch string) error {
	if !validTag.MatchString(r.version) || r.version == "latest" {
		return fmt.Errorf("the version %q must be like v1.2.3: it is the tag of the images", r.version)
	}
	for _, p := range r.platforms {
		if !strings.Contains(","+allPlatforms+",", ","+p+",") {
			return fmt.Errorf("no image for platform %q: known are %s", p, allPlatforms)
		}
	}
	if !validRepository.MatchString(r.repository) {
		return fmt.Errorf("the repository %q must begin with a registry, like registry.example.com/keywright", r.repository)
	}
	seconds, err := strconv.ParseInt(cmp.Or(epoch, "0"), 10, 64)
	if err != nil || seconds < 0 {
		return fmt.Errorf("SOURCE_DATE_EPOCH=%q is not a number of seconds", epoch)
	}
	r.created = time.Unix(seconds, 0).UTC()
	return nil
}
