package database

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

const (
	// connectTimeout bounds a connection to one address, unless the URL sets a shorter timeout.
	connectTimeout = operationTimeout
	// hangUpTimeout bounds closing a connection.
	hangUpTimeout = time.Second
)

// postgresServer is a database for several servers.
type postgresServer struct {
	pool  *pgxpool.Pool
	asSQL *sql.DB
}

// openPostgres does not connect yet.
func openPostgres(url string) (dialect, *sql.DB, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, nil, withoutPassword(err, url)
	}
	if given := config.ConnConfig.ConnectTimeout; given <= 0 || given > connectTimeout {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "keywright"
	}
	// The pool outlives the caller's context.
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, nil, withoutPassword(err, url)
	}
	p := &postgresServer{pool: pool, asSQL: stdlib.OpenDBFromPool(pool)}
	return p, p.asSQL, nil
}

func (*postgresServer) name() string { return "PostgreSQL" }

func (*postgresServer) migrations() migrations {
	return migrations{goose.DialectPostgres, "migrations/postgres"}
}

func (p *postgresServer) renew(context.Context) { p.pool.Reset() }

func (p *postgresServer) check(ctx context.Context) error {
	var at int64
	return p.asSQL.QueryRowContext(ctx, "SELECT at FROM probe").Scan(&at)
}

// Classes and codes of SQLSTATE.
const (
	dataException       = "22"
	constraintViolation = "23"
	serverShutdown      = "57P"
	serializationFailed = "40001"
	deadlockDetected    = "40P01"
	outOfRange          = "22003"
)

// isTransient reports whether a connection broke, or transactions were in conflict.
func (*postgresServer) isTransient(err error) bool {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return false
	}
	switch state := sqlState(err); {
	case state == serializationFailed, state == deadlockDetected, strings.HasPrefix(state, serverShutdown):
		return true
	case state != "":
		return false
	}
	for _, broken := range []error{
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.EPIPE, syscall.ECONNRESET,
		driver.ErrBadConn, pgconn.ErrConnClosed,
	} {
		if errors.Is(err, broken) {
			return true
		}
	}
	return pgconn.SafeToRetry(err)
}

func (*postgresServer) sizeOf(int64) string {
	return "SELECT pg_total_relation_size(CAST(CAST($1 AS text) AS regclass))"
}

func (*postgresServer) isRefusal(err error) bool {
	state := sqlState(err)
	return strings.HasPrefix(state, dataException) || strings.HasPrefix(state, constraintViolation)
}

func sqlState(err error) string {
	var reply *pgconn.PgError
	if errors.As(err, &reply) {
		return reply.Code
	}
	return ""
}

func (*postgresServer) reason(err error) string {
	var reply *pgconn.PgError
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return certificateReason(certificate)
	case errors.As(err, &name):
		// The text of the error contains the host name.
		return "DNS: " + name.Err
	case errors.As(err, &reply):
		return fmt.Sprintf("%s (SQLSTATE %s)", brief(errors.New(reply.Message)), reply.Code)
	case errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err):
		return noResponse
	}
	return brief(err)
}

// certificateReason reports the fault that a person has to mend. Texts of x509 contain the host name.
func certificateReason(err error) string {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	switch {
	case errors.As(err, &authority):
		return "its certificate is signed by an unknown authority: sslrootcert in the URL or PGSSLROOTCERT names the file " +
			"of a private one"
	case errors.As(err, &host):
		return "its certificate is for other names than the host in the URL"
	}
	return brief(err)
}

func (p *postgresServer) close() { p.pool.Close() }

// connect returns a connection outside the pool, for long use.
func (p *postgresServer) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	return pgx.ConnectConfig(ctx, p.pool.Config().ConnConfig)
}

func hangUp(ctx context.Context, connection *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangUpTimeout)
	defer cancel()
	_ = connection.Close(ctx)
}

// keepalive makes PostgreSQL detect within half a minute that the holder of a turn is gone.
const keepalive = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"

// turn holds an advisory lock, which PostgreSQL releases when the connection ends.
func (p *postgresServer) turn(ctx context.Context, name string, do func(context.Context) error) error {
	connection, err := p.connect(ctx)
	if err != nil {
		return err
	}
	defer hangUp(ctx, connection)
	// Some compatible servers do not have these settings.
	_, _ = connection.Exec(ctx, keepalive)
	if _, err := connection.Exec(ctx, "SELECT pg_advisory_lock($1)", lockOf(name)); err != nil {
		return err
	}
	return whileHeld(ctx, connection, do)
}

// whileHeld ends the context of do when the connection ends.
func whileHeld(ctx context.Context, connection *pgx.Conn, do func(context.Context) error) error {
	held, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		// This connection listens to no channel, so only its end wakes it.
		if _, err := connection.WaitForNotification(held); err != nil && held.Err() == nil {
			cancel(errLost)
		}
	}()
	err := do(held)
	lost := errors.Is(context.Cause(held), errLost)
	cancel(nil)
	<-ended
	if err != nil && lost {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	return err
}

// lockOf returns the number of a turn's lock: PostgreSQL's locks have no names.
func lockOf(name string) int64 {
	sum := sha256.Sum256([]byte("keywright turn " + name))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}
