package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"firebreak/playbooks"
	"firebreak/services/playbook"
	"firebreak/services/responder/action"
	"firebreak/services/workshop/suite"
)

func playbookCommand(sh *shell) *cobra.Command {
	return parent("playbook", "Write, check, test and list playbooks",
		playbookNew(sh), playbookLint(sh), playbookTest(sh), playbookExplain(sh), playbookList(sh),
		playbookReplay(sh), playbookFmt(sh), playbookSchema(sh))
}

func playbookLint(sh *shell) *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use: "lint [PATH…]", Short: "Check playbooks, and the tests beside them",
		Long: `Check playbook files, and those of folders, with the engine that runs them; and
whether there are tests beside them, NAME.test.yaml, that can be read.
Without a path: all that the configuration would load, the library included.

Exit code 1 when there is an error; with --strict, when there is a warning too.`,
		Example:           "  firebreak playbook lint my-playbooks\n  firebreak playbook lint --json my.yaml",
		ValidArgsFunction: completeFiles,
		RunE: func(_ *cobra.Command, args []string) error {
			sources, tests, err := sh.lintSources(args)
			if err != nil {
				return err
			}
			set, findings := playbook.Load(sources, action.Specs())
			findings = append(findings, lintTests(set, sources, tests)...)
			for _, f := range findings {
				if sh.json {
					if err := sh.line(f); err != nil {
						return err
					}
					continue
				}
				sh.say("%s", visible(f.String()))
			}
			if playbook.Failed(findings) || strict && len(findings) > 0 {
				return errFound
			}
			if !sh.json {
				sh.say("%d playbooks, %d warnings", len(set.Playbooks), len(findings))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "a warning fails too")
	return cmd
}

// lintSources takes the paths given, or else what the configuration names,
// with the tests that lie beside it.
func (sh *shell) lintSources(paths []string) ([]playbook.Source, []suite.Test, error) {
	var all []playbook.Source
	if len(paths) == 0 {
		cfg, err := loadConfig(sh.config)
		if err != nil {
			return nil, nil, err
		}
		if all, err = sources(cfg); err != nil {
			return nil, nil, usageError{err}
		}
		_, tests, err := collectTests(cfg.Playbooks, cfg.Library != "false")
		return all, tests, err
	}
	all, tests, err := collectTests(paths, false)
	if err == nil && len(all) == 0 {
		err = usagef("no playbook in %s: they end in .yaml", strings.Join(paths, ", "))
	}
	return all, tests, err
}

// lintTests finds what is wrong with the tests beside the playbooks of a set,
// and what is missing.
func lintTests(set *playbook.Set, sources []playbook.Source, tests []suite.Test) []playbook.Finding {
	compiled := map[string]*playbook.Playbook{}
	if set != nil {
		for _, p := range set.Playbooks {
			compiled[p.File] = p
		}
	}
	pairs, findings := suite.Pairs(sources, tests)
	bench := newBench()
	for _, p := range pairs {
		findings = append(findings, bench.Check(p, compiled[p.Source.Name]).Findings...)
	}
	return findings
}

// sources collects every playbook that the configuration names.
func sources(cfg config) ([]playbook.Source, error) {
	var all []playbook.Source
	if cfg.Library != "false" {
		mode := "observe"
		if cfg.Library == "enforce" {
			mode = ""
		}
		library, err := playbook.FromFS(playbooks.FS, mode)
		if err != nil {
			return nil, fmt.Errorf("embedded library: %w", err)
		}
		for i := range library {
			library[i].Name = "library/" + library[i].Name
		}
		all = library
	}
	for _, folder := range cfg.Playbooks {
		found, err := read(folder)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// read takes a playbook file, or those of a folder and of the folders below it.
func read(path string) ([]playbook.Source, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("playbooks: there is no %s", path)
	case err != nil:
		return nil, fmt.Errorf("playbooks: %w", err)
	case info.IsDir():
		found, err := playbook.FromFS(os.DirFS(path), "")
		if err != nil {
			return nil, fmt.Errorf("playbooks in %s: %w", path, err)
		}
		for i := range found {
			found[i].Name = filepath.Join(path, found[i].Name)
		}
		return found, nil
	}
	raw, err := readRegular(path)
	if err != nil {
		return nil, fmt.Errorf("playbooks: %w", err)
	}
	return []playbook.Source{{Name: path, Data: raw}}, nil
}

func firstError(findings []playbook.Finding) string {
	for _, f := range findings {
		if f.Severity == playbook.SeverityError {
			return f.String()
		}
	}
	return "no playbook could be loaded"
}
