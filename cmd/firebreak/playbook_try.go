package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"firebreak/playbooks"
	"firebreak/services/playbook"
	"firebreak/services/responder/action"
	"firebreak/services/workshop/format"
	"firebreak/services/workshop/suite"
	"firebreak/services/workshop/testfile"
	"firebreak/services/workshop/trial"
)

func playbookTest(sh *shell) *cobra.Command {
	var library bool
	var pattern string
	var made recorded
	cmd := &cobra.Command{
		Use: "test [PATH…]", Short: "Run the tests beside playbooks, offline and in event time",
		Long: `Run the tests of playbooks: NAME.test.yaml beside NAME.yaml. The events go
through the engine that matches live, the steps through the deciding that the
conductor uses; mocks answer in place of the responders. Nothing is touched.

Without a path: the folders that the configuration names. A path is a playbook,
a test file or a folder. Exit code 1 when a test fails or cannot be read.
--json prints one object for each test, one for each finding, and a summary.

--from-incident writes a test instead: the events that a real incident had to do
with, and what came of them. The path then says where its playbook is.`,
		Example: `  firebreak playbook test my-playbooks
  firebreak playbook test my-playbooks/miner.yaml --run 'build host'
  firebreak playbook test --library --json
  firebreak playbook test --from-incident 4kq2 --redact --out mine.test.yaml`,
		ValidArgsFunction: completeFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if made.id != "" {
				made.paths = args
				return sh.testFromIncident(cmd.Context(), made)
			}
			if made.out != "" || made.redact {
				return usagef("--out and --redact go with --from-incident: see `%s --help`", cmd.CommandPath())
			}
			run, err := regexp.Compile(pattern)
			if err != nil {
				return usagef("--run: %w", err)
			}
			sources, tests, err := sh.testSources(args, library)
			if err != nil {
				return err
			}
			return sh.runTests(cmd.Context(), sources, tests, run)
		},
	}
	cmd.Flags().BoolVar(&library, "library", false, "test the built-in library")
	cmd.Flags().StringVar(&pattern, "run", "", "only tests of which PLAYBOOK/TEST matches the regular expression")
	cmd.Flags().StringVar(&made.id, "from-incident", "", "write a test of what happened in an incident, by its id or the beginning of it")
	cmd.Flags().StringVar(&made.out, "out", "", "with --from-incident: the file to write; it must not be there yet")
	cmd.Flags().BoolVar(&made.redact, "redact", false, "with --from-incident: replace arguments, names of users and addresses")
	return cmd
}

// newBench is what tests are loaded and run with.
func newBench() *suite.Bench {
	return &suite.Bench{
		Specs: action.Specs(), Formats: format.Names(),
		Decode: format.ForTests(testfile.Start()), Runner: trial.New(action.Specs()),
	}
}

// testSources collects the playbooks to be tested, with their tests.
func (sh *shell) testSources(paths []string, library bool) ([]playbook.Source, []suite.Test, error) {
	if len(paths) == 0 && !library {
		cfg, err := loadConfig(sh.config)
		if err != nil {
			return nil, nil, err
		}
		if len(cfg.Playbooks) == 0 {
			return nil, nil, usagef("no path is given, and the configuration names no folder of playbooks: `firebreak playbook test PATH`, or --library for the built-in ones")
		}
		paths = cfg.Playbooks
	}
	sources, tests, err := collectTests(paths, library)
	if err == nil && len(sources) == 0 && len(tests) == 0 {
		err = usagef("no playbook in %s: they end in .yaml", strings.Join(paths, ", "))
	}
	return sources, tests, err
}

// collectTests collects playbooks with the tests beside them.
func collectTests(paths []string, library bool) ([]playbook.Source, []suite.Test, error) {
	var sources []playbook.Source
	var tests []suite.Test
	if library {
		s, t, err := testsIn(playbooks.FS, "library")
		if err != nil {
			return nil, nil, usageError{err}
		}
		sources, tests = s, t
	}
	for _, p := range paths {
		s, t, err := testsAt(p)
		if err != nil {
			return nil, nil, usageError{err}
		}
		sources, tests = append(sources, s...), append(tests, t...)
	}
	return sources, tests, nil
}

// testsAt takes a playbook or a test file with what lies beside it, or a folder.
func testsAt(path string) ([]playbook.Source, []suite.Test, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil, fmt.Errorf("playbooks: there is no %s", path)
	case err != nil:
		return nil, nil, fmt.Errorf("playbooks: %w", err)
	case info.IsDir():
		return testsIn(os.DirFS(path), path)
	}
	files := []string{path}
	for _, other := range beside(path) {
		if _, err := os.Stat(other); err == nil {
			files = append(files, other)
			break
		}
	}
	var sources []playbook.Source
	var tests []suite.Test
	for _, name := range files {
		raw, err := readRegular(name)
		if err != nil {
			return nil, nil, fmt.Errorf("playbooks: %w", err)
		}
		if suite.IsTest(name) {
			tests = append(tests, suite.Test{Name: name, Data: raw})
			continue
		}
		sources = append(sources, playbook.Source{Name: name, Data: raw})
	}
	return sources, tests, nil
}

// beside gives the names that the tests of a playbook, or the playbook of
// tests, can have.
func beside(path string) []string {
	stem := strings.TrimSuffix(path, filepath.Ext(path))
	if suite.IsTest(path) {
		stem = strings.TrimSuffix(stem, ".test")
		return []string{stem + ".yaml", stem + ".yml"}
	}
	return []string{stem + suite.Ending, stem + ".test.yml"}
}

// testsIn collects the playbooks and tests of a folder.
func testsIn(fsys fs.FS, root string) ([]playbook.Source, []suite.Test, error) {
	sources, err := playbook.FromFS(fsys, "")
	if err != nil {
		return nil, nil, fmt.Errorf("playbooks in %s: %w", root, err)
	}
	for i := range sources {
		sources[i].Name = filepath.Join(root, sources[i].Name)
	}
	var tests []suite.Test
	err = fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir() || !suite.IsTest(name):
			return nil
		}
		info, err := fs.Stat(fsys, name)
		switch {
		case err != nil:
			return err
		case !info.Mode().IsRegular(): // opening a pipe would wait for ever
			return fmt.Errorf("%s is not a regular file", name)
		}
		raw, err := fs.ReadFile(fsys, name)
		tests = append(tests, suite.Test{Name: filepath.Join(root, name), Data: raw})
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("tests in %s: %w", root, err)
	}
	return sources, tests, nil
}

// outcome is a unit with what became of its tests.
type outcome struct {
	unit    suite.Unit
	results []trial.Result
}

// runTests loads and runs all units on as many cores as there are, and prints
// them in their order.
func (sh *shell) runTests(ctx context.Context, sources []playbook.Source, tests []suite.Test, run *regexp.Regexp) error {
	began := time.Now()
	pairs, orphans := suite.Pairs(sources, tests)
	bench := newBench()
	done := make([]chan outcome, len(pairs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0) + 1) // one starts the others
	for i := range pairs {
		done[i] = make(chan outcome, 1)
	}
	g.Go(func() error {
		for i, p := range pairs {
			g.Go(func() error {
				o := outcome{}
				if ctx.Err() == nil {
					o.unit = bench.Load(p)
					o.results = bench.Run(o.unit, run.MatchString)
				}
				done[i] <- o
				return ctx.Err()
			})
		}
		return nil
	})
	report := testReport{sh: sh, began: began}
	err := report.orphans(orphans)
	for i := range pairs {
		o := <-done[i]
		if err == nil && ctx.Err() == nil {
			err = report.unit(o)
		}
	}
	if waited := g.Wait(); err == nil {
		err = waited
	}
	if err != nil {
		return err
	}
	if err := report.end(); err != nil {
		return err
	}
	if run.String() != "" && report.sum.Tests == 0 {
		// A slip in it must not pass for tests that pass.
		return usagef("--run %q fits no test: it is compared with PLAYBOOK/TEST", run)
	}
	return nil
}
