// Command firebreak is the whole of Firebreak in one binary: the pipeline
// (`run`, or its parts apart) and the commands of the people who use it.
//
// This package wires only. One file holds one subcommand; wire.go puts the
// services together. Start at root.go.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"firebreak/services/bench/workload"
)

func main() {
	workload.Main(os.Args) // the demo and the benchmarks run this binary inside containers
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
