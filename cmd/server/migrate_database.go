package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/program"
)

// migrateCommand is the first argument of the command that moves a database.
const migrateCommand = "migrate-database"

// migrateOptions are the flags of migrate-database.
type migrateOptions struct{ from, to string }

func parseMigrate(args []string, stdout io.Writer) (*migrateOptions, error) {
	o := &migrateOptions{}
	flags := program.NewFlagSet(programName+" "+migrateCommand, stdout)
	flags.StringVar(&o.from, "from", database.DefaultPath, "the SQLite file to copy from; no server may use it")
	flags.StringVar(&o.to, "to", "",
		"the postgres:// URL of an empty database to copy to; default: $"+databaseVariable)
	if err := program.Parse(flags, args); err != nil {
		return nil, err
	}
	var err error
	if o.from, err = program.LineOr("from", o.from, ""); err != nil {
		return nil, err
	}
	if o.to, err = program.LineOr("to", o.to, databaseVariable); err != nil {
		return nil, err
	}
	if o.to == "" {
		return nil, program.Misused("--to or $%s is needed", databaseVariable)
	}
	return o, nil
}

// migrateDatabase copies everything in a SQLite file into an empty PostgreSQL, and prints the rows of each table.
func migrateDatabase(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseMigrate(args, stdout)
	if err != nil {
		return err
	}
	moved, err := database.Migrate(ctx, o.from, o.to, slog.New(slog.NewTextHandler(stderr, nil)))
	if err != nil {
		return fmt.Errorf("nothing was copied: %w", err)
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TABLE\tROWS")
	for _, m := range moved {
		fmt.Fprintf(table, "%s\t%d\n", m.Table, m.Rows)
	}
	return table.Flush()
}
