package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// program is one of Keywright's programs.
type program struct {
	name string
	// profile is the CPU profile to compile with, as in the Makefile.
	profile string
	// onlyLinux is true for the programs that run in a cluster.
	onlyLinux bool
}

var programs = []program{
	{name: "operator", onlyLinux: true},
	{name: "server", profile: "cmd/server/release.pgo", onlyLinux: true},
	{name: "keywright"},
}

var allPlatforms = []string{
	"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64",
}

// build compiles every program for every platform that it runs on, and writes an archive and a bill of materials of
// each.
func (r *release) build() error {
	for _, platform := range r.platforms {
		if !slices.Contains(allPlatforms, platform) {
			return fmt.Errorf("no release for platform %q: known are %s", platform, strings.Join(allPlatforms, ", "))
		}
	}
	for _, p := range programs {
		if !slices.Contains(r.programs, p.name) {
			continue
		}
		for _, platform := range r.platforms {
			if p.onlyLinux && !strings.HasPrefix(platform, "linux/") {
				continue
			}
			if err := r.buildOne(p, platform); err != nil {
				return fmt.Errorf("%s for %s: %w", p.name, platform, err)
			}
		}
	}
	return nil
}

func (r *release) buildOne(p program, platform string) error {
	system, architecture, _ := strings.Cut(platform, "/")
	binary := p.name
	if system == "windows" {
		binary += ".exe"
	}
	path := filepath.Join(r.compiled, system+"_"+architecture, binary)
	if err := r.compile(p, system, architecture, path); err != nil {
		return err
	}
	return r.publish(p, path, fmt.Sprintf("%s_%s_%s_%s", p.name, r.version, system, architecture))
}

// compile has the same flags as hack/images, whose -compiled takes these programs.
func (r *release) compile(p program, system, architecture, output string) error {
	fmt.Fprintln(os.Stderr, "building", p.name, "for", system, architecture)
	args := []string{"build", "-trimpath", "-buildvcs=false", "-o", output,
		"-ldflags", "-s -w -X main.version=" + r.version}
	if p.profile != "" {
		args = append(args, "-pgo="+p.profile)
	}
	build := exec.Command("go", append(args, "./cmd/"+p.name)...)
	build.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+architecture, "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	return build.Run()
}

// publish writes the archive of a program and its bill of materials.
func (r *release) publish(p program, path, name string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	license, err := os.ReadFile("LICENSE")
	if err != nil {
		return err
	}
	if err := packTo(filepath.Join(r.out, name+".tar.gz"), []file{
		{filepath.Base(path), 0o755, content}, {"LICENSE", 0o644, license},
	}); err != nil {
		return err
	}
	bill, err := r.billOf(p.name, path, content)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, name+".cdx.json"), bill, 0o644)
}
