package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"firebreak/services/playbook"
	"firebreak/services/responder/action"
	"firebreak/services/workshop/coverage"
	"firebreak/services/workshop/scaffold"
)

func playbookList(sh *shell) *cobra.Command {
	var attack bool
	var arena string
	cmd := &cobra.Command{
		Use: "list", Short: "List the playbooks that the configuration loads, with the mode that holds", Args: noArgs,
		Long: `List the playbooks that the configuration loads, with the mode that holds.
--attack shows instead which techniques of MITRE ATT&CK they answer to, and
which none of them does.`,
		Example: "  firebreak playbook list --config firebreak.yaml\n  firebreak playbook list --attack\n  firebreak playbook list --arena cluster --json",
		RunE: func(*cobra.Command, []string) error {
			books, err := sh.loaded()
			if err != nil {
				return err
			}
			if arena != "" {
				if !slices.Contains(scaffold.Arenas(), arena) {
					return usagef("--arena %q: known are %s", arena, strings.Join(scaffold.Arenas(), ", "))
				}
				books = slices.DeleteFunc(books, func(p *playbook.Playbook) bool { return p.Arena != arena })
			}
			if attack {
				return sh.printCoverage(coverage.Of(books))
			}
			return sh.printPlaybooks(books)
		},
	}
	cmd.Flags().BoolVar(&attack, "attack", false, "show the coverage of MITRE ATT&CK")
	cmd.Flags().StringVar(&arena, "arena", "", "only those of one arena: "+strings.Join(scaffold.Arenas(), ", "))
	complete(cmd, "arena", scaffold.Arenas())
	return cmd
}

// loaded gives the playbooks that the configuration loads.
func (sh *shell) loaded() ([]*playbook.Playbook, error) {
	cfg, err := loadConfig(sh.config)
	if err != nil {
		return nil, err
	}
	all, err := sources(cfg)
	if err != nil {
		return nil, usageError{err}
	}
	set, findings := playbook.Load(all, action.Specs())
	if set == nil {
		return nil, fmt.Errorf("%s: `firebreak playbook lint` tells all of it", firstError(findings))
	}
	return slices.Clone(set.Playbooks), nil
}

type playbookView struct {
	Name     string   `json:"name"`
	Arena    string   `json:"arena"`
	Severity string   `json:"severity"`
	Mode     string   `json:"mode"`
	Summary  string   `json:"summary"`
	File     string   `json:"file"`
	Attack   []string `json:"attack,omitempty"`
	Matrix   []string `json:"matrix,omitempty"`
}

func (sh *shell) printPlaybooks(books []*playbook.Playbook) error {
	rows := [][]string{}
	for _, p := range books {
		if sh.json {
			if err := sh.line(playbookView{p.Name, p.Arena, p.Severity, p.Guard.Mode, p.Summary, p.File, p.Attack, p.Matrix}); err != nil {
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
}

// printCoverage shows tactic after tactic with its techniques, the gaps among them.
func (sh *shell) printCoverage(all []coverage.Technique) error {
	if sh.json {
		for _, t := range all {
			if err := sh.line(t); err != nil {
				return err
			}
		}
		return nil
	}
	covered := 0
	for _, tactic := range coverage.ByTactic(all) {
		sh.say("%s  %d of %d", color.New(color.Bold).Sprint(tactic.Name), tactic.Covered(), len(tactic.Techniques))
		for _, t := range tactic.Techniques {
			sh.printTechnique(t)
		}
		covered += tactic.Covered()
	}
	sh.say("\n%d of %d techniques are answered to; the others are gaps", covered, len(all))
	return nil
}

func (sh *shell) printTechnique(t coverage.Technique) {
	mark, names := color.GreenString("✓"), strings.Join(t.Playbooks, ", ")
	switch {
	case t.Gap():
		mark, names = color.YellowString("·"), color.YellowString("no playbook")
	case len(t.Playbooks) == 0:
		mark, names = color.CyanString("~"), "in part: "+strings.Join(t.Below, ", ")
	}
	sh.say("  %s %-9s  %-44s  %s", mark, t.ID, clip(t.Name, 44), names)
}

// clip cuts a text for a column.
func clip(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
