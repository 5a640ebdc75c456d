package cli

import (
	"context"
	"database/sql"
	"flag"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	// The driver of SQLite.
	_ "modernc.org/sqlite"

	"keywright.dev/keywright/internal/cli"
	"keywright.dev/keywright/internal/cli/cluster"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/test/stack"
)

// TestMain makes this program the command keywright of the scripts, and the plugin of kubectl.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"keywright":  func() { run(&cli.App{Console: console.OfProcess(), Version: "test"}) },
		cluster.Name: func() { run(&cluster.Plugin{Console: console.OfProcess(), Version: "test"}) },
	})
}

func run(program interface {
	Run(ctx context.Context, args []string) (exitCode int)
}) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := program.Run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// update makes the test record the session of the docs instead of comparing it.
var update = flag.Bool("update", false, "record the session of the docs")

func TestScripts(t *testing.T) {
	t.Cleanup(func() {
		if *update {
			return
		}
		for _, example := range examples.left() {
			t.Errorf("no script runs this example of a help text: %s", example)
		}
	})
	t.Run("server", onServer)
	t.Run("local", withoutServer)
}

func onServer(t *testing.T) {
	s, err := stack.Start(t.Context(), stack.Options{Out: testWriter{t}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	// First, because it lists all keys.
	t.Run("session", func(t *testing.T) { playSession(t, s) })
	play(t, "server", s.ServerURL, s.BootstrapKey, map[string]string{
		"KUBECONFIG": s.Kubeconfig, "PATH": s.Assets + string(filepath.ListSeparator) + os.Getenv("PATH"),
	})
}

// withoutServer plays what needs no server. Nothing listens at its address: a request would be noticed.
func withoutServer(t *testing.T) {
	play(t, "local", "http://127.0.0.1:1", "a-key-that-is-of-no-use", nil)
}

// play plays the scripts of a folder. They have the server and the key of an admin in their environment.
func play(t *testing.T, folder, url, key string, variables map[string]string) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", folder),
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			for name, value := range map[string]string{
				"HOME": env.WorkDir, "KEYWRIGHT_SERVER": url, "KEYWRIGHT_API_KEY": key, "ADMIN_KEY": key, "URL": url,
				"no_proxy": "127.0.0.1",
			} {
				env.Setenv(name, value)
			}
			for name, value := range variables {
				if name == "PATH" {
					// The first folder of the path has the command keywright.
					value = env.Getenv("PATH") + string(filepath.ListSeparator) + value
				}
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: commands,
	})
}

// commands are those that scripts have besides those of testscript.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	// capture NAME sets a variable to the output of the last command.
	"capture": func(ts *testscript.TestScript, _ bool, args []string) {
		if len(args) != 1 {
			ts.Fatalf("usage: capture NAME")
		}
		ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
	},
	// shell COMMANDS runs commands in a shell.
	"shell": func(ts *testscript.TestScript, neg bool, args []string) {
		shell(ts, neg, strings.Join(args, " "))
	},
	// example COMMAND N runs the Nth line of the example in a command's help, in a shell.
	"example": func(ts *testscript.TestScript, neg bool, args []string) {
		shell(ts, neg, examples.take(ts, args))
	},
	// sqlite FILE STATEMENT... creates a SQLite file.
	"sqlite": func(ts *testscript.TestScript, _ bool, args []string) {
		db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
		ts.Check(err)
		defer func() { _ = db.Close() }()
		for _, statement := range args[1:] {
			_, err := db.Exec(statement)
			ts.Check(err)
		}
	},
	// exits CODE PROGRAM ARGUMENT... runs a program and compares its exit code.
	"exits": func(ts *testscript.TestScript, _ bool, args []string) {
		err := ts.Exec(args[1], args[2:]...)
		code := "0"
		if err != nil {
			code = strings.TrimPrefix(err.Error(), "exit status ")
		}
		if code != args[0] {
			ts.Fatalf("exit code %s, want %s", code, args[0])
		}
	},
}

func shell(ts *testscript.TestScript, neg bool, commands string) {
	err := ts.Exec("sh", "-ec", commands)
	if (err != nil) != neg {
		ts.Fatalf("%s: %v", commands, err)
	}
}

type testWriter struct{ testing.TB }

func (w testWriter) Write(text []byte) (int, error) {
	w.Log(strings.TrimSpace(string(text)))
	return len(text), nil
}
