package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"firebreak/services/bus"
	"firebreak/services/telemetry"
)

func busCommand(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use: "bus", Short: "Run the bus apart, or set up an external NATS", Args: noArgs,
		Example: `  firebreak bus --config bus.yaml                  the embedded server alone
  firebreak bus users --node n1 --node n2          keys, and the accounts for an external server
  firebreak bus migrate --config admin.yaml        the stores of an external server`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.pipeline(cmd.Context(), "bus", func(w *wiring) ([]part, error) {
				if w.cfg.Bus.URL != "" {
					return nil, usagef("bus.url names an external server: there is no bus to run here; `firebreak bus migrate` sets that one up")
				}
				return []part{busOnly}, nil
			})
		},
	}
	cmd.AddCommand(busUsers(sh), busMigrate(sh))
	return cmd
}

func busUsers(sh *shell) *cobra.Command {
	var nodes []string
	cmd := &cobra.Command{
		Use: "users", Short: "Make the keys that are missing, and print the accounts for an external NATS server", Args: noArgs,
		Long: `Make the keys that are missing below data_dir/bus, and print the "accounts"
block for the configuration of an external nats-server: one account for each
user, which imports exactly what the user may do.

Give each process its own key (data_dir/bus/keys) and a copy of
data_dir/bus/roster.json, and name them in its configuration as bus.nkey and
bus.roster. The administrator's key is for "firebreak bus migrate" alone.`,
		Example: "  firebreak bus users --node n1 --node n2 > accounts.conf",
		RunE: func(*cobra.Command, []string) error {
			cfg, err := loadConfig(sh.config)
			if err != nil {
				return err
			}
			if len(nodes) == 0 {
				nodes = []string{cfg.NodeName}
			}
			log, err := telemetry.New(sh.err, telemetry.Config{Level: cfg.Log.Level, Format: cfg.Log.Format})
			if err != nil {
				return usageError{err}
			}
			if err := bus.Secure(cfg.DataDir, log); err != nil {
				return err
			}
			roster, err := bus.EnsureKeys(cfg.DataDir, nodes...)
			if err != nil {
				return err
			}
			if sh.json {
				return sh.line(roster)
			}
			text, err := bus.Users(cfg.ClusterName, roster)
			if err != nil {
				return err
			}
			fmt.Fprint(sh.out, text)
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&nodes, "node", nil, "a node that gets keys for its collector and responder; can be repeated (default: node_name)")
	return cmd
}

func busMigrate(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use: "migrate", Short: "Create the stores of an external NATS server, or bring them up to date", Args: noArgs,
		Long: `Create the stores of the external server that bus.url names, or bring them to
the limits and nodes of today, with the administrator's key as bus.nkey. A
second time it changes nothing.`,
		Example: "  firebreak bus migrate --config admin.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(sh.config)
			if err != nil {
				return err
			}
			if cfg.Bus.URL == "" {
				return usagef("bus.url is not set: an embedded bus migrates by itself at its start")
			}
			d, err := dialConfig(cfg, bus.Admin)
			if err != nil {
				return usageError{err}
			}
			log, err := telemetry.New(sh.err, telemetry.Config{Level: cfg.Log.Level, Format: cfg.Log.Format})
			if err != nil {
				return usageError{err}
			}
			d.Log = log
			if err := bus.Migrate(cmd.Context(), bus.MigrateConfig{Dial: d}); err != nil {
				return errors.Join(errors.New("the stores are not all as they should be; it can be run again"), err)
			}
			if sh.json {
				return sh.line(map[string]bool{"migrated": true})
			}
			sh.say("the stores of %s are as they should be", cfg.Bus.URL)
			return nil
		},
	}
}
