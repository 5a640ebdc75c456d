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
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// timeout allows for a busy machine.
	timeout = 2 * time.Minute

	role = "keywright"
	// Password must not appear anywhere. It contains characters that a URL has to escape.
	Password = "hunter2/:?#@ correct-horse"
)

// keeper runs PostgreSQL as its standard input orders, and removes everything when that ends.
const keeper = `
folder=$1 programs=$2; shift 2
running=
quit() { [ -z "$running" ] || { kill -"$1" "$running"; wait "$running"; running=; }; }
while read -r word; do
  case $word in
    install) "$programs/initdb" --pgdata="$folder/data" --pwfile="$folder/password" --username=keywright \
      --auth=scram-sha-256 --encoding=UTF8 --locale=C --no-sync --no-instructions </dev/null &&
      echo installed || echo failed ;;
    start) "$programs/postgres" "$@" </dev/null & running=$! ;;
    stop) quit INT; echo stopped ;;
    crash) quit QUIT; echo stopped ;;
  esac
done
quit QUIT
rm -rf "$folder"
`

// settings suit a server without durable data that may be stopped at any moment.
var settings = []string{
	"listen_addresses=", "fsync=off", "full_page_writes=off", "shared_buffers=16MB",
	"max_connections=60", "log_min_messages=warning", "autovacuum=off",
}

// Server is a PostgreSQL. It is running, until Stop.
type Server struct {
	folder string
	// secure is nil without TLS.
	secure    *secure
	keeper    *exec.Cmd
	orders    io.WriteCloser
	output    chan string
	databases atomic.Int64
}

// New installs a server in a new folder and starts it.
func New() (*Server, error) { return install(nil) }

func install(with *secure) (*Server, error) {
	programs := Installed()
	if programs == "" {
		return nil, errors.New(Missing)
	}
	as, err := account()
	if err != nil {
		return nil, err
	}
	// Not in TMPDIR, because the path of a socket has to be short.
	folder, err := os.MkdirTemp("/tmp", "keywright-postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{folder: folder, secure: with, output: make(chan string, 100)}
	if err := s.keep(programs, as); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	if err := errors.Join(s.order("install", "installed"), s.Start()); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) settings() []string {
	if s.secure == nil {
		return settings
	}
	return append(slices.Clone(settings), s.secure.settings(s.folder)...)
}

func (s *Server) data() string { return filepath.Join(s.folder, "data") }

// prepare gives the folder to the user that PostgreSQL runs as.
func (s *Server) prepare(as *syscall.Credential) error {
	password := filepath.Join(s.folder, "password")
	err := os.WriteFile(password, []byte(Password+"\n"), 0o600)
	if err == nil && s.secure != nil {
		err = s.secure.prepare(s.folder, as)
	}
	if err != nil || as == nil {
		return err
	}
	return errors.Join(os.Chown(s.folder, int(as.Uid), int(as.Gid)), os.Chown(password, int(as.Uid), int(as.Gid)))
}

// environment leaves out variables that would configure PostgreSQL.
func environment(folder string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "LC_ALL=C", "TZ=UTC"}
}

func (s *Server) keep(programs string, as *syscall.Credential) error {
	if err := s.prepare(as); err != nil {
		return err
	}
	words := []string{"-c", keeper, "sh", s.folder, programs, "-D", s.data(), "-k", s.folder}
	for _, setting := range s.settings() {
		words = append(words, "-c", setting)
	}
	s.keeper = exec.Command("sh", words...)
	s.keeper.Dir, s.keeper.Env = "/", environment(s.folder)
	// Its own process group, so that Ctrl-C at a terminal reaches only this process, which then ends it.
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

// listen forwards the output until the last writer has ended, and drops lines without a receiver.
func (s *Server) listen(reader io.ReadCloser) {
	defer func() { _ = reader.Close() }()
	defer close(s.output)
	for lines := bufio.NewScanner(reader); lines.Scan(); {
		select {
		case s.output <- lines.Text():
		default:
		}
	}
}

// URL returns the URL of the database postgres, with user and password.
func (s *Server) URL() string { return s.urlOf("postgres") }

func (s *Server) urlOf(database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(role, Password), Path: "/" + database,
		RawQuery: url.Values{"host": {s.folder}, "port": {s.port()}}.Encode()}
	return u.String()
}

// Socket returns the path of its socket.
func (s *Server) Socket() string { return filepath.Join(s.folder, ".s.PGSQL."+s.port()) }

// port is a part of the name of the socket.
func (s *Server) port() string {
	if s.secure == nil {
		return "5432"
	}
	return securePort
}

// Database creates an empty database and returns its URL.
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

// Start runs the server and returns when it answers.
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
			return fmt.Errorf("PostgreSQL did not start: %w; output: %s", err, s.pending())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// pending returns the output that was not read yet.
func (s *Server) pending() string {
	var lines []string
	for {
		select {
		case line, more := <-s.output:
			if !more {
				return strings.Join(lines, "\n")
			}
			lines = append(lines, line)
		default:
			return strings.Join(lines, "\n")
		}
	}
}

// Stop ends the server and every connection, and returns when it is gone.
func (s *Server) Stop() error { return s.order("stop", "stopped") }

// Crash ends the server without notice to its connections.
func (s *Server) Crash() error { return s.order("crash", "stopped") }

// order sends an order to the keeper and returns when the keeper reports that it is done.
func (s *Server) order(what, done string) error {
	s.pending()
	if _, err := io.WriteString(s.orders, what+"\n"); err != nil {
		return err
	}
	var output []string
	for limit := time.After(timeout); ; {
		select {
		case line, more := <-s.output:
			if line == done {
				return nil
			}
			if !more || line == "failed" {
				return fmt.Errorf("PostgreSQL could not %s: %s", what, strings.Join(output, "; "))
			}
			output = append(output, line)
		case <-limit:
			return fmt.Errorf("PostgreSQL did not %s in time: %s", what, strings.Join(output, "; "))
		}
	}
}

// Close ends the server and removes its folder.
func (s *Server) Close() error {
	if s.secure != nil && s.secure.relay != nil {
		_ = s.secure.relay.Close()
	}
	return errors.Join(s.orders.Close(), s.keeper.Wait())
}
