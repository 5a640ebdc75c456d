package postgres

import (
	"cmp"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// Missing is the message where PostgreSQL is not installed.
const Missing = "PostgreSQL is not installed, so nothing is tested with it (hack/packages.sh installs it as " +
	"root on Debian)"

// Installed returns the folder of PostgreSQL's programs: Debian's newest, which is not in PATH, or the one in PATH.
// Empty: PostgreSQL is not installed.
func Installed() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) > 0 {
		newest := slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(version(a), version(b)) })
		return filepath.Dir(newest)
	}
	path, err := exec.LookPath("postgres")
	if err != nil {
		return ""
	}
	return filepath.Dir(path)
}

// overflowUser is the id of the unprivileged user that owns nothing.
const overflowUser = "65534"

// version of /usr/lib/postgresql/15/bin/postgres is 15.
func version(program string) float64 {
	number, _ := strconv.ParseFloat(filepath.Base(filepath.Dir(filepath.Dir(program))), 64)
	return number
}

// account is the user that PostgreSQL runs as, for it refuses to run as root. Nil: the current user.
func account() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	found, err := user.Lookup("postgres")
	if err != nil {
		if found, err = user.LookupId(overflowUser); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.ParseUint(found.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(found.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}
