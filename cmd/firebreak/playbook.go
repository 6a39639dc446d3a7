package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firebreak/playbooks"
	"firebreak/services/playbook"
	"firebreak/services/responder/action"
)

func playbookCommand(sh *shell) *cobra.Command {
	return parent("playbook", "List and lint playbooks", playbookLint(sh), playbookList(sh))
}

func playbookLint(sh *shell) *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use: "lint [PATH…]", Short: "Check playbooks with the engine that runs them",
		Long: `Check playbook files, and those of folders, with the engine that runs them.
Without a path: all that the configuration would load, the library included.

Exit code 1 when there is an error; with --strict, when there is a warning too.`,
		Example: "  firebreak playbook lint my-playbooks\n  firebreak playbook lint --json my.yaml",
		RunE: func(_ *cobra.Command, args []string) error {
			sources, err := sh.lintSources(args)
			if err != nil {
				return err
			}
			set, findings := playbook.Load(sources, action.Specs())
			for _, f := range findings {
				if sh.json {
					if err := sh.line(f); err != nil {
						return err
					}
					continue
				}
				sh.say("%s", visible(f.String()))
			}
			if set == nil || strict && len(findings) > 0 {
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

// lintSources takes the paths given, or else what the configuration names.
func (sh *shell) lintSources(paths []string) ([]playbook.Source, error) {
	if len(paths) == 0 {
		cfg, err := loadConfig(sh.config)
		if err != nil {
			return nil, err
		}
		found, err := sources(cfg)
		if err != nil {
			return nil, usageError{err}
		}
		return found, nil
	}
	var all []playbook.Source
	for _, p := range paths {
		found, err := read(p)
		if err != nil {
			return nil, usageError{err}
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		return nil, usagef("no playbook in %s: they end in .yaml", strings.Join(paths, ", "))
	}
	return all, nil
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

func playbookList(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the playbooks that the configuration loads, with the mode that holds", Args: noArgs,
		Example: "  firebreak playbook list --config firebreak.yaml",
		RunE: func(*cobra.Command, []string) error {
			cfg, err := loadConfig(sh.config)
			if err != nil {
				return err
			}
			all, err := sources(cfg)
			if err != nil {
				return usageError{err}
			}
			set, findings := playbook.Load(all, action.Specs())
			if set == nil {
				return fmt.Errorf("%s: `firebreak playbook lint` tells all of it", firstError(findings))
			}
			rows := [][]string{}
			for _, p := range set.Playbooks {
				if sh.json {
					if err := sh.line(playbookView{p.Name, p.Arena, p.Severity, p.Guard.Mode, p.Summary, p.File, p.Attack}); err != nil {
						return err
					}
					continue
				}
				once := "–"
				if p.Once > 0 {
					once = p.Once.Round(time.Second).String()
				}
				rows = append(rows, []string{p.Name, p.Arena, p.Severity, p.Guard.Mode, once, p.Summary})
			}
			if sh.json {
				return nil
			}
			return table(sh.out, []string{"NAME", "ARENA", "SEVERITY", "MODE", "ONCE", "SUMMARY"}, rows)
		},
	}
}

type playbookView struct {
	Name     string   `json:"name"`
	Arena    string   `json:"arena"`
	Severity string   `json:"severity"`
	Mode     string   `json:"mode"`
	Summary  string   `json:"summary"`
	File     string   `json:"file"`
	Attack   []string `json:"attack,omitempty"`
}

func firstError(findings []playbook.Finding) string {
	for _, f := range findings {
		if f.Severity == playbook.SeverityError {
			return f.String()
		}
	}
	return "no playbook could be loaded"
}
