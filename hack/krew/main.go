// Command krew builds the archives from which Krew installs kubectl keywright, and the manifest with their checksums.
// Run it in its own folder.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// root is the folder of the checkout.
var root = filepath.Join("..", "..")

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "krew:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	var o options
	set := flag.NewFlagSet("krew", flag.ContinueOnError)
	set.StringVar(&o.version, "version", "", "version of the release: v1.2.3")
	set.StringVar(&o.url, "url", "", "address of the folder from which the archives will be downloaded")
	set.StringVar(&o.homepage, "homepage", "", "address of the documentation")
	set.StringVar(&o.out, "out", "", "folder for the archives and the manifest")
	set.StringVar(&o.platforms, "platforms", allPlatforms, "platforms to build for")
	check := set.Bool("check", false, "build nothing, and check a manifest with made-up checksums")
	if err := set.Parse(args); err != nil {
		return err
	}
	if *check {
		return o.check()
	}
	if err := o.validate(); err != nil {
		return err
	}
	return o.build()
}

const allPlatforms = "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64"

type options struct {
	version, url, homepage, out, platforms string
}

// semantic is what Krew takes as a version.
var semantic = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

func (o *options) validate() error {
	switch {
	case !semantic.MatchString(o.version):
		return fmt.Errorf("the version %q must be like v1.2.3", o.version)
	case o.out == "":
		return errors.New("-out names no folder")
	case !isAddress(o.url):
		return fmt.Errorf("the address of the archives, %q, must begin with https:// or http://", o.url)
	case o.homepage != "" && !isAddress(o.homepage):
		return fmt.Errorf("the address of the documentation, %q, must begin with https:// or http://", o.homepage)
	}
	for _, p := range o.list() {
		if !strings.Contains(","+allPlatforms+",", ","+p+",") {
			return fmt.Errorf("no release for platform %q: known are %s", p, allPlatforms)
		}
	}
	return nil
}

func isAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

func (o *options) list() []string { return strings.Split(o.platforms, ",") }

// build builds an archive for each platform, and the manifest.
func (o *options) build() error {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	var archives []archive
	for _, p := range o.list() {
		a := o.archive(p)
		fmt.Fprintln(os.Stderr, "building", a.Name())
		if err := a.build(o.version, o.out); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		archives = append(archives, a)
	}
	return o.writeManifest(o.out, archives)
}

// check writes a manifest for all platforms, and has Krew check it.
func (o *options) check() error {
	o.version, o.url, o.homepage = "v0.0.0", "https://keywright.example/releases", "https://keywright.example"
	folder, err := os.MkdirTemp("", "keywright-krew-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	var archives []archive
	for _, p := range o.list() {
		a := o.archive(p)
		a.SHA256 = strings.Repeat("0", 64)
		archives = append(archives, a)
	}
	return o.writeManifest(folder, archives)
}

func (o *options) archive(platform string) archive {
	system, architecture, _ := strings.Cut(platform, "/")
	a := archive{OS: system, Arch: architecture, Program: "kubectl-keywright"}
	if system == "windows" {
		a.Program += ".exe"
	}
	a.URL = strings.TrimRight(o.url, "/") + "/" + a.Name()
	return a
}

// validated returns the error of Krew's own check of a manifest.
func validated(manifest string) error {
	check := exec.Command("go", "tool", "validate-krew-manifest", "-skip-install", "-manifest", manifest)
	text, err := check.CombinedOutput()
	if err != nil {
		report, _, _ := strings.Cut(string(text), "\ngoroutine ")
		return fmt.Errorf("krew refuses the manifest: %w\n%s", err, report)
	}
	return nil
}
