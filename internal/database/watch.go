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
	// listenFor is how long a silence may be before the listener asks whether anybody is there, and answerWithin how
	// long that may take. Together they are how late the end of a connection is noticed that broke without a word.
	listenFor    = time.Second
	answerWithin = time.Second
	// listenAgain is how soon a connection that ended is made anew.
	listenAgain = 250 * time.Millisecond
)

// endSessions has PostgreSQL tell, once it is committed, whose sessions ended.
func (*postgresServer) endSessions(condition string) string {
	return "WITH ended AS (DELETE FROM sessions WHERE " + condition + " RETURNING id)" +
		" SELECT pg_notify('keywright_sessions_ended', encode(id, 'hex')) FROM ended"
}

const listen = "LISTEN keywright_sessions_ended"

// watch calls ended for the sessions that this server removed as well.
func (p *postgresServer) watch(ctx context.Context, ended func(sessions.ID), lost func(bool)) error {
	lost(true)
	for ctx.Err() == nil {
		connection, err := p.listen(ctx)
		if err == nil {
			lost(false)
			hear(ctx, connection, ended)
			lost(true)
			hangUp(ctx, connection)
		}
		program.Pause(ctx, listenAgain)
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

// hear returns when there is nothing more to hear.
func hear(ctx context.Context, connection *pgx.Conn, ended func(sessions.ID)) {
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

// next returns nil when there was nothing for a while, and somebody is there.
func next(ctx context.Context, connection *pgx.Conn) (*sessions.ID, error) {
	waiting, cancel := context.WithTimeout(ctx, listenFor)
	defer cancel()
	notification, err := connection.WaitForNotification(waiting)
	switch {
	case err == nil:
		return parseID(notification.Payload)
	case ctx.Err() == nil && waiting.Err() != nil:
		asking, cancel := context.WithTimeout(ctx, answerWithin)
		defer cancel()
		return nil, connection.Ping(asking)
	}
	return nil, err
}

func parseID(payload string) (*sessions.ID, error) {
	var id sessions.ID
	if len(payload) != hex.EncodedLen(len(id)) {
		return nil, fmt.Errorf("a notification of %d characters is no session's", len(payload))
	}
	_, err := hex.Decode(id[:], []byte(payload))
	return &id, err
}
