package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/workshop/format"
	"firebreak/services/workshop/suite"
	"firebreak/services/workshop/testfile"
	"firebreak/services/workshop/trial"
)

// question is what is to be explained.
type question struct {
	event string // file with events, or "-"
	as    string
	test  string // test file, instead of event
	name  string // of the test in it
}

func playbookExplain(sh *shell) *cobra.Command {
	var q question
	cmd := &cobra.Command{
		Use: "explain [PLAYBOOK|PATH…]", Short: "Say why events did or did not match, condition by condition",
		Long: `Say of events why each of them did or did not match a playbook: condition by
condition with the values that they looked at, then how the windows stand, what
the guard leaves alone, and what the steps would do. Nothing is touched.

A playbook is named by its file, its folder, or its name among those that the
configuration loads; without one, all of those are asked. Events are CloudEvents,
one a line, or what --as says; or those of a test.`,
		Example: `  firebreak watch --json --all | head -1000 | firebreak playbook explain --event - miner-in-container
  firebreak playbook explain --event alert.json --as falco my-playbooks
  firebreak playbook explain --test miner.test.yaml --case "a build host may compile"`,
		ValidArgsFunction: sh.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, books, err := sh.asked(q, args)
			if err != nil {
				return err
			}
			return sh.explain(cmd.Context(), c, books, len(args) > 0 || q.test != "")
		},
	}
	cmd.Flags().StringVar(&q.event, "event", "", "file with the events; - reads standard input")
	cmd.Flags().StringVar(&q.as, "as", format.CloudEvents, "format of the events: "+strings.Join(format.Names(), ", "))
	cmd.Flags().StringVar(&q.test, "test", "", "test file whose events are explained")
	cmd.Flags().StringVar(&q.name, "case", "", "with --test: the name of the test; may be left out when there is one alone")
	complete(cmd, "as", format.Names())
	return cmd
}

// asked gives the events and the playbooks.
func (sh *shell) asked(q question, args []string) (testfile.Case, []*playbook.Playbook, error) {
	switch {
	case q.test != "" && q.event != "", q.test == "" && q.event == "":
		return testfile.Case{}, nil, usagef("one of --event and --test says which events are explained")
	case q.name != "" && q.test == "":
		return testfile.Case{}, nil, usagef("--case goes with --test")
	case q.test != "":
		return sh.askedTest(q, args)
	}
	books, err := sh.named(args)
	if err != nil {
		return testfile.Case{}, nil, err
	}
	raw, err := sh.input(q.event)
	if err != nil {
		return testfile.Case{}, nil, err
	}
	events, err := format.Text(q.as, raw, format.Options{Source: "/explain/" + q.as, Time: testfile.Start()})
	switch {
	case err != nil && len(events) == 0 && errors.Is(err, schemas.ErrInvalid):
		return testfile.Case{}, nil, usagef("%s: %w (--as says the format)", q.event, err)
	case err != nil && len(events) == 0:
		return testfile.Case{}, nil, fmt.Errorf("%s: %w", q.event, err)
	case err != nil:
		fmt.Fprintf(sh.err, "left out: %s\n", visible(strings.ReplaceAll(err.Error(), "\n", "; ")))
	case len(events) == 0:
		return testfile.Case{}, nil, usagef("%s holds no event", q.event)
	}
	return trial.CaseOf(events), books, nil
}

// askedTest takes the events of a test, with the playbook beside it unless
// others are named.
func (sh *shell) askedTest(q question, args []string) (testfile.Case, []*playbook.Playbook, error) {
	raw, err := readRegular(q.test)
	if err != nil {
		return testfile.Case{}, nil, usagef("--test: %w", err)
	}
	f, findings := testfile.Read(q.test, raw, format.Names(), format.ForTests(testfile.Start()))
	if playbook.Failed(findings) {
		return testfile.Case{}, nil, usagef("--test: %s", visible(firstError(findings)))
	}
	var found *testfile.Case
	var names []string
	for n := range f.Cases {
		names = append(names, f.Cases[n].Name)
		if f.Cases[n].Name == q.name || q.name == "" && len(f.Cases) == 1 {
			found = &f.Cases[n]
		}
	}
	if found == nil {
		return testfile.Case{}, nil, usagef("--case %q: %s has the tests %s", q.name, q.test, visible(strings.Join(names, "; ")))
	}
	if len(args) == 0 {
		args = []string{q.test}
	}
	books, err := sh.named(args)
	return *found, books, err
}

// named gives the playbooks of paths, and those that names among the
// configuration's stand for; all of these without an argument.
func (sh *shell) named(args []string) ([]*playbook.Playbook, error) {
	if len(args) == 0 {
		return sh.loaded()
	}
	var books, configured []*playbook.Playbook
	bench := newBench()
	for _, arg := range args {
		if _, err := os.Stat(arg); err == nil {
			found, _, err := testsAt(arg)
			if err != nil {
				return nil, usageError{err}
			}
			for _, s := range found {
				u := bench.Load(suite.Pair{Source: s})
				if u.Playbook == nil {
					return nil, usagef("%s: `firebreak playbook lint %s` tells all of it", visible(firstError(u.Broken)), arg)
				}
				books = append(books, u.Playbook)
			}
			if len(found) == 0 {
				return nil, usagef("no playbook in %s", arg)
			}
			continue
		}
		if configured == nil {
			var err error
			if configured, err = sh.loaded(); err != nil {
				return nil, err
			}
		}
		n := len(books)
		for _, p := range configured {
			if p.Name == arg {
				books = append(books, p)
			}
		}
		if len(books) == n {
			return nil, usagef("%s is no file, and no playbook that the configuration loads: `firebreak playbook list` names those", arg)
		}
	}
	return books, nil
}

// mostInput bounds what is read to be explained; a replay takes more.
const mostInput = 64 << 20

// input reads a file, or standard input.
func (sh *shell) input(name string) ([]byte, error) {
	from := sh.in
	if name != "-" {
		f, err := os.Open(name) //nolint:gosec // the name is the person's own
		if err != nil {
			return nil, usagef("--event: %w", err)
		}
		defer f.Close()
		from = f
	}
	raw, err := io.ReadAll(io.LimitReader(from, mostInput+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the events: %w", err)
	case len(raw) > mostInput:
		return nil, usagef("there are more than %d MiB of events: `firebreak playbook replay` takes that many", mostInput>>20)
	}
	return raw, nil
}
