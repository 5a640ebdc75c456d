package database

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"keywright.dev/keywright/internal/manage/sessions"
	"keywright.dev/keywright/internal/program"
)

const (
	// After maxSilence the listener pings the server, which has pingTimeout to respond. Their sum bounds how late
	// a broken connection is noticed.
	maxSilence  = time.Second
	pingTimeout = time.Second
	// reconnectDelay is the delay after a lost connection.
	reconnectDelay = 250 * time.Millisecond
)

// endSessions makes PostgreSQL send the ids of the removed sessions once the statement is committed.
func (*postgresServer) endSessions(condition string) string {
	return "WITH ended AS (DELETE FROM sessions WHERE " + condition + " RETURNING id)" +
		" SELECT pg_notify('keywright_sessions_ended', encode(id, 'hex')) FROM ended"
}

const listen = "LISTEN keywright_sessions_ended"

// watch also calls ended for sessions that this server removed.
func (p *postgresServer) watch(ctx context.Context, ended func(sessions.ID), lost func(bool)) error {
	lost(true)
	for ctx.Err() == nil {
		connection, err := p.listen(ctx)
		if err == nil {
			lost(false)
			receive(ctx, connection, ended)
			lost(true)
			hangUp(ctx, connection)
		}
		program.Pause(ctx, reconnectDelay)
	}
	return nil
}

func (p *postgresServer) listen(ctx context.Context) (*pgx.Conn, error) {
	connection, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	if _, err := connection.Exec(ctx, listen); err != nil {
		hangUp(ctx, connection)
		return nil, err
	}
	return connection, nil
}

// receive returns when the connection is lost.
func receive(ctx context.Context, connection *pgx.Conn, ended func(sessions.ID)) {
	for {
		id, err := next(ctx, connection)
		if err != nil {
			return
		}
		if id != nil {
			ended(*id)
		}
	}
}

// next returns nil after a silence that ended with a successful ping.
func next(ctx context.Context, connection *pgx.Conn) (*sessions.ID, error) {
	waiting, cancel := context.WithTimeout(ctx, maxSilence)
	defer cancel()
	notification, err := connection.WaitForNotification(waiting)
	switch {
	case err == nil:
		return parseID(notification.Payload)
	case ctx.Err() == nil && waiting.Err() != nil:
		pinging, cancel := context.WithTimeout(ctx, pingTimeout)
		defer cancel()
		return nil, connection.Ping(pinging)
	}
	return nil, err
}

func parseID(payload string) (*sessions.ID, error) {
	var id sessions.ID
	if len(payload) != hex.EncodedLen(len(id)) {
		return nil, fmt.Errorf("a notification of %d characters does not name a session", len(payload))
	}
	_, err := hex.Decode(id[:], []byte(payload))
	return &id, err
}
