package main

import (
	"context"
	"os"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"firebreak/services/collector/runtime/exec"
	"firebreak/services/doctor"
	"firebreak/services/playbook"
	"firebreak/services/responder/action"
)

func doctorCommand(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Tell what this host can and cannot do, and the remedy", Args: noArgs,
		Long: `Look at what Firebreak needs of this host and say for each whether it is there,
what is lost without it, and the remedy. Exit code 1 when something is missing
without which Firebreak cannot do its job. It changes nothing.`,
		Example: "  firebreak doctor\n  firebreak doctor --json | jq '.checks[] | select(.state!=\"ok\")'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(sh.config)
			if err != nil {
				return err
			}
			report := doctor.Run(cmd.Context(), doctor.Checks(doctor.Config{
				DataDir: cfg.DataDir, Containerd: cfg.Runtime.Containerd.Address, ExecProbe: execAbility,
				Playbooks: func(context.Context) (doctor.Lint, error) { return lintCount(cfg) },
			}), 0)
			if sh.json {
				err = sh.line(report)
			} else {
				err = report.WriteTable(sh.out, !color.NoColor && sh.out == os.Stdout)
			}
			if err != nil {
				return err
			}
			if report.ExitCode() != exitOK {
				return errFound
			}
			return nil
		},
	}
}

func execAbility() doctor.Sensor {
	a := exec.Probe()
	return doctor.Sensor{Mode: string(a.Mode), Lost: a.Lost, Why: a.Why, Remedy: a.Remedy}
}

func lintCount(cfg config) (doctor.Lint, error) {
	all, err := sources(cfg)
	if err != nil {
		return doctor.Lint{}, err
	}
	set, findings := playbook.Load(all, action.Specs())
	var l doctor.Lint
	if set != nil {
		l.Playbooks = len(set.Playbooks)
	}
	for _, f := range findings {
		if f.Severity == playbook.SeverityError {
			l.Errors++
		} else {
			l.Warnings++
		}
		if l.First == "" || l.Errors == 1 && f.Severity == playbook.SeverityError {
			l.First = f.String()
		}
	}
	return l, nil
}
