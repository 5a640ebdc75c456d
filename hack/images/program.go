package main

import (
	"context"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// program is one of Keywright's programs.
type program struct {
	name, title string
	// profile is the CPU profile to compile with, as in the Makefile.
	profile string
}

var programs = []program{
	{name: "operator", title: "Keywright operator: issues, rotates and ends API keys"},
	{name: "server", title: "Keywright server: checks requests against API keys", profile: "cmd/server/release.pgo"},
	{name: "keywright", title: "keywright: the command line"},
}

// binary returns the program for a platform.
func (r *release) binary(ctx context.Context, p program, platform string) ([]byte, error) {
	folder := r.compiled
	if folder == "" {
		temporary, err := os.MkdirTemp("", "keywright-images-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(temporary)
		folder = temporary
		if err := r.compile(ctx, p, platform, file(folder, p, platform)); err != nil {
			return nil, fmt.Errorf("%s for %s: %w", p.name, platform, err)
		}
	}
	path := file(folder, p, platform)
	if err := checkStatic(path, platform); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

func file(folder string, p program, platform string) string {
	return filepath.Join(folder, strings.ReplaceAll(platform, "/", "_"), p.name)
}

func (r *release) compile(ctx context.Context, p program, platform, output string) error {
	fmt.Fprintln(os.Stderr, "building", p.name, "for", platform)
	args := []string{"-C", root, "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X main.version=" + r.version, "-o", output}
	if p.profile != "" {
		args = append(args, "-pgo="+p.profile)
	}
	system, architecture, _ := strings.Cut(platform, "/")
	build := exec.CommandContext(ctx, "go", append(args, "./cmd/"+p.name)...)
	build.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+architecture, "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	return build.Run()
}

var machines = map[string]elf.Machine{"linux/amd64": elf.EM_X86_64, "linux/arm64": elf.EM_AARCH64}

// checkStatic makes sure that a program runs in an image with no other file on that platform.
func checkStatic(path, platform string) error {
	binary, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("%s is not a program for linux: %w", path, err)
	}
	defer binary.Close()
	if binary.Machine != machines[platform] {
		return fmt.Errorf("%s is for %s, not for %s", path, binary.Machine, platform)
	}
	for _, segment := range binary.Progs {
		if segment.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is linked dynamically: build it with CGO_ENABLED=0", path)
		}
	}
	return nil
}
