package database

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var embedded embed.FS

// migrations are the statements of one dialect.
type migrations struct {
	dialect goose.Dialect
	folder  string
}

// versions is goose's own table.
const versions = "schema_migrations"

// migrate brings the tables to this version. Servers that start at once take turns. There is no way back: an older server
// goes on with tables that are newer than it knows.
func (d *DB) migrate(ctx context.Context) error {
	return d.dialect.turn(ctx, "migrations", func(ctx context.Context) error {
		of := d.dialect.migrations()
		files, err := fs.Sub(embedded, of.folder)
		if err != nil {
			return err
		}
		provider, err := goose.NewProvider(of.dialect, d.pool, files,
			goose.WithTableName(versions), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
		if err != nil {
			return fmt.Errorf("migrations: %w", err)
		}
		_, err = provider.Up(ctx)
		return err
	})
}
