package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"firebreak/services/bus"
)

// Exit codes, part of the interface that scripts rely on.
const (
	exitOK     = 0
	exitFailed = 1 // it failed, or something was found
	exitUsage  = 2 // usage or configuration
)

// usageError is an error that the person can mend at the command line or in
// the configuration.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errFound ends a command with exit code 1 after it has shown what it found.
var errFound = errors.New("something was found")

// shell is what every subcommand is given: where to read and write, and the
// flags that all of them share.
type shell struct {
	in     io.Reader
	out    io.Writer
	err    io.Writer
	config string             // --config
	json   bool               // --json
	at     func(point string) // see responder.Config.At; nil outside tests
}

// execute runs one command line and gives its exit code.
func execute(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	return (&shell{in: in, out: out, err: errOut}).execute(ctx, args)
}

func (sh *shell) execute(ctx context.Context, args []string) int {
	cmd := root(sh)
	cmd.SetArgs(args)
	cmd.SetIn(sh.in)
	cmd.SetOut(sh.out)
	cmd.SetErr(sh.err)
	strictCompletion(cmd) // it writes to what is set by now
	err := cmd.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errFound):
		return exitFailed
	case errors.As(err, &usage), errors.Is(err, bus.ErrConfig):
		fmt.Fprintf(sh.err, "firebreak: %v\n", err)
		return exitUsage
	default:
		fmt.Fprintf(sh.err, "firebreak: %v\n", err)
		return exitFailed
	}
}

func root(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "firebreak",
		Short: "Contain what should not run: an event-driven response pipeline for container platforms",
		Long: `Firebreak watches containers, matches what happens with playbooks, and contains:
it halts and pauses containers, verifies that they are, captures evidence, and
lets people release what was held. Every decision and act lies in a ledger.`,
		Example: `  firebreak doctor                    what this host can and cannot do
  firebreak run --config firebreak.yaml
  firebreak watch --config firebreak.yaml
  firebreak incident list --config firebreak.yaml`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q: see `firebreak --help`", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&sh.config, "config", "", "configuration file (default: $FIREBREAK_CONFIG, else ./firebreak.yaml when it is there)")
	cmd.PersistentFlags().BoolVar(&sh.json, "json", false, "print JSON, one object a line")
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%w: see `%s --help`", err, c.CommandPath())
	})
	cmd.AddGroup(
		&cobra.Group{ID: "pipeline", Title: "The pipeline:"},
		&cobra.Group{ID: "watch", Title: "For the watch:"},
		&cobra.Group{ID: "author", Title: "For authors:"},
		&cobra.Group{ID: "host", Title: "This host:"},
	)
	for group, commands := range map[string][]*cobra.Command{
		"pipeline": {runCommand(sh), busCommand(sh), collectCommand(sh), correlateCommand(sh), respondCommand(sh)},
		"watch":    {watchCommand(sh), incidentCommand(sh), evidenceCommand(sh), holdCommand(sh), resumeCommand(sh)},
		"author":   {playbookCommand(sh), actionCommand(sh)},
		"host":     {doctorCommand(sh), benchCommand(sh), demoCommand(sh), versionCommand(sh)},
	} {
		for _, c := range commands {
			c.GroupID = group
			cmd.AddCommand(c)
		}
	}
	return cmd
}

// strictCompletion makes a shell that cobra has no completion for a usage error.
func strictCompletion(cmd *cobra.Command) {
	cmd.InitDefaultCompletionCmd()
	for _, c := range cmd.Commands() {
		if c.Name() == "completion" {
			c.Args, c.RunE = noSuchCommand, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
}

// noSuchCommand is for commands that only hold others.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("there is no command `%s %s`: see `%s --help`", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}

// noArgs and exactly make a wrong number of arguments a usage error.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("`%s` takes no argument %q: see `%s --help`", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}

func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usagef("`%s` wants %s: see `%s --help`", cmd.CommandPath(), what, cmd.CommandPath())
		}
		return nil
	}
}

// parent is a command that only holds others.
func parent(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(children...)
	return cmd
}
