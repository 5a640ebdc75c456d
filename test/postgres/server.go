package postgres

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// timeout is for a machine that has much else to do.
	timeout = 2 * time.Minute

	role = "keywright"
	// Password is one that must not turn up anywhere. It has what has to be escaped in a URL.
	Password = "hunter2/:?#@ correct-horse"
)

// keeper runs PostgreSQL as its standard input says, and when that ends, removes everything.
const keeper = `
folder=$1 programs=$2; shift 2
running=
quit() { [ -z "$running" ] || { kill -"$1" "$running"; wait "$running"; running=; }; }
while read -r word; do
  case $word in
    install) "$programs/initdb" --pgdata="$folder/data" --pwfile="$folder/password" --username=keywright --auth=scram-sha-256 \
      --encoding=UTF8 --locale=C --no-sync --no-instructions </dev/null && echo installed || echo failed ;;
    start) "$programs/postgres" "$@" </dev/null & running=$! ;;
    stop) quit INT; echo stopped ;;
    crash) quit QUIT; echo stopped ;;
  esac
done
quit QUIT
rm -rf "$folder"
`

// settings are for a server that nobody will miss, and may be stopped at any moment.
var settings = []string{
	"listen_addresses=", "fsync=off", "full_page_writes=off", "shared_buffers=16MB",
	"max_connections=60", "log_min_messages=warning", "autovacuum=off",
}

// Server is a PostgreSQL. It is running, until Stop.
type Server struct {
	folder    string
	keeper    *exec.Cmd
	orders    io.WriteCloser
	said      chan string
	databases atomic.Int64
}

// New installs a server in a new folder and starts it.
func New() (*Server, error) {
	programs := Installed()
	if programs == "" {
		return nil, errors.New(Missing)
	}
	as, err := somebody()
	if err != nil {
		return nil, err
	}
	// Not in TMPDIR: the path of a socket has to be short.
	folder, err := os.MkdirTemp("/tmp", "keywright-postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{folder: folder, said: make(chan string, 100)}
	if err := s.keep(programs, as); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	if err := errors.Join(s.order("install", "installed"), s.Start()); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) data() string { return filepath.Join(s.folder, "data") }

// prepare has the folder belong to whom PostgreSQL runs as.
func (s *Server) prepare(as *syscall.Credential) error {
	password := filepath.Join(s.folder, "password")
	err := os.WriteFile(password, []byte(Password+"\n"), 0o600)
	if err != nil || as == nil {
		return err
	}
	return errors.Join(os.Chown(s.folder, int(as.Uid), int(as.Gid)), os.Chown(password, int(as.Uid), int(as.Gid)))
}

// environment leaves out what would have PostgreSQL do something else.
func environment(folder string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "LC_ALL=C", "TZ=UTC"}
}

func (s *Server) keep(programs string, as *syscall.Credential) error {
	if err := s.prepare(as); err != nil {
		return err
	}
	words := []string{"-c", keeper, "sh", s.folder, programs, "-D", s.data(), "-k", s.folder}
	for _, setting := range settings {
		words = append(words, "-c", setting)
	}
	s.keeper = exec.Command("sh", words...)
	s.keeper.Dir, s.keeper.Env = "/", environment(s.folder)
	// A group of its own: Ctrl-C at a terminal is for us, and then we end it.
	s.keeper.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as}
	orders, err := s.keeper.StdinPipe()
	if err != nil {
		return err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	s.orders, s.keeper.Stdout, s.keeper.Stderr = orders, writer, writer
	err = s.keeper.Start()
	_ = writer.Close()
	if err != nil {
		_ = reader.Close()
		return err
	}
	go s.listen(reader)
	return nil
}

// listen passes on what is said, until all are gone who could say something. What nobody waits for is dropped.
func (s *Server) listen(reader io.ReadCloser) {
	defer func() { _ = reader.Close() }()
	defer close(s.said)
	for lines := bufio.NewScanner(reader); lines.Scan(); {
		select {
		case s.said <- lines.Text():
		default:
		}
	}
}

// URL is that of the database postgres, with user and password.
func (s *Server) URL() string { return s.urlOf("postgres") }

func (s *Server) urlOf(database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(role, Password), Path: "/" + database, RawQuery: url.Values{"host": {s.folder}}.Encode()}
	return u.String()
}

// Socket is where it listens.
func (s *Server) Socket() string { return filepath.Join(s.folder, ".s.PGSQL.5432") }

// Database makes an empty database and returns its URL.
func (s *Server) Database(ctx context.Context) (string, error) {
	name := fmt.Sprintf("test%d_%s", s.databases.Add(1), strings.ToLower(rand.Text()[:6]))
	return s.urlOf(name), Do(ctx, s.URL(), "CREATE DATABASE "+name)
}

// Do runs a statement in the database of a URL.
func Do(ctx context.Context, database, statement string) error {
	connection, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	_, err = connection.Exec(ctx, statement)
	return errors.Join(err, connection.Close(ctx))
}

// Start runs it, and returns when it answers.
func (s *Server) Start() error {
	if _, err := io.WriteString(s.orders, "start\n"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	for {
		err := Do(ctx, s.URL(), "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL did not start: %w; it said: %s", err, s.heard())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// heard is all that was said and not waited for.
func (s *Server) heard() string {
	var lines []string
	for {
		select {
		case line, more := <-s.said:
			if !more {
				return strings.Join(lines, "\n")
			}
			lines = append(lines, line)
		default:
			return strings.Join(lines, "\n")
		}
	}
}

// Stop ends it, and every connection, and returns when it is gone.
func (s *Server) Stop() error { return s.order("stop", "stopped") }

// Crash ends it without a word to those who are connected.
func (s *Server) Crash() error { return s.order("crash", "stopped") }

// order has the keeper do something, and returns when it says that it is done.
func (s *Server) order(what, done string) error {
	s.heard()
	if _, err := io.WriteString(s.orders, what+"\n"); err != nil {
		return err
	}
	var said []string
	for limit := time.After(timeout); ; {
		select {
		case line, more := <-s.said:
			if line == done {
				return nil
			}
			if !more || line == "failed" {
				return fmt.Errorf("PostgreSQL could not %s: %s", what, strings.Join(said, "; "))
			}
			said = append(said, line)
		case <-limit:
			return fmt.Errorf("PostgreSQL did not %s in time: %s", what, strings.Join(said, "; "))
		}
	}
}

// Close ends it and removes its folder.
func (s *Server) Close() error {
	return errors.Join(s.orders.Close(), s.keeper.Wait())
}
