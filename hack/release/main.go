// Command release builds the files of a release that are not images: programs for each platform, archives of them with
// their bills of materials, the archive of the Helm chart, and checksums. Run it in the root of the checkout.
//
// Two builds of a commit with the same version of Go are equal, byte for byte: archives have no times but that of
// SOURCE_DATE_EPOCH.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release is what the commands share.
type release struct {
	version string
	// compiled is the folder of the programs, such as linux_arm64/server. out is the folder of the files to publish.
	compiled, out string
	platforms     []string
	programs      []string
	created       time.Time
}

const usage = "usage: release build|chart|sums -version v1.2.3 -out FOLDER"

func run(args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	var r release
	set := flag.NewFlagSet("release "+args[0], flag.ContinueOnError)
	set.StringVar(&r.version, "version", "", "version of the release: v1.2.3")
	set.StringVar(&r.compiled, "compiled", "bin/release", "folder for the programs")
	set.StringVar(&r.out, "out", "", "folder for the files to publish")
	platforms := set.String("platforms", strings.Join(allPlatforms, ","), "platforms to build for")
	programs := set.String("programs", "operator,server,keywright", "programs to build")
	if err := set.Parse(args[1:]); err != nil {
		return err
	}
	r.platforms, r.programs = strings.Split(*platforms, ","), strings.Split(*programs, ",")
	if err := r.complete(os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		return err
	}
	switch args[0] {
	case "build":
		return r.build()
	case "chart":
		return r.chart("charts/keywright")
	case "sums":
		return writeSums(r.out)
	}
	return errors.New(usage)
}

var semantic = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

func (r *release) complete(epoch string) error {
	if !semantic.MatchString(r.version) {
		return fmt.Errorf("the version %q must be like v1.2.3", r.version)
	}
	if r.out == "" {
		return errors.New("-out names no folder")
	}
	seconds, err := strconv.ParseInt(cmp.Or(epoch, "0"), 10, 64)
	if err != nil || seconds < 0 {
		return fmt.Errorf("SOURCE_DATE_EPOCH=%q is not a number of seconds", epoch)
	}
	r.created = time.Unix(seconds, 0).UTC()
	return os.MkdirAll(r.out, 0o755)
}
