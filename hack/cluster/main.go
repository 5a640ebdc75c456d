//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: cluster [-name NAME] COMMAND
  up                  start the cluster and wait until its node is ready
  down                remove the cluster
  crash-node          kill the node as a power failure would; it boots again
  next                print what to do with it
  folder              print the folder of the cluster, with its kubeconfig and logs
  load ARCHIVE...     import images into the node
  image NAME ARCHIVE FILE...
                      write an archive of an image with these files and the libraries that they need`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprintln(flags.Output(), usage) }
	name := flags.String("name", "keywright", "name of the cluster: several can run at once")
	if err := flags.Parse(args); err != nil {
		return err
	}
	c, err := newCluster(*name)
	if err != nil {
		return err
	}
	return c.do(ctx, flags.Arg(0), flags.Args()[min(1, flags.NArg()):])
}

func (c *cluster) do(ctx context.Context, command string, args []string) error {
	switch {
	case command == "up" && len(args) == 0:
		return c.up(ctx)
	case command == "down" && len(args) == 0:
		return c.down()
	case command == "crash-node" && len(args) == 0:
		return c.crashNode()
	case command == "next" && len(args) == 0:
		return c.next()
	case command == "folder" && len(args) == 0:
		_, err := fmt.Println(c.dir)
		return err
	case command == "load" && len(args) > 0:
		return c.load(ctx, args)
	case command == "image" && len(args) > 2:
		return writeImage(args[0], args[1], args[2:])
	// The two processes that up starts.
	case command == superviseCommand && len(args) == 0:
		return c.supervise()
	case command == nodeCommand && len(args) == 0:
		return c.node()
	}
	return errors.New(usage)
}
