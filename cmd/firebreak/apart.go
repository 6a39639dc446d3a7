package main

import (
	"context"

	"github.com/spf13/cobra"
)

func collectCommand(sh *shell) *cobra.Command {
	run := &cobra.Command{
		Use: "runtime", Short: "Collect the events of this node's containers", Args: noArgs,
		Example: "  firebreak collect runtime --config node.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.pipeline(cmd.Context(), "collect", func(w *wiring) ([]part, error) {
				collect, err := w.collector()
				if err != nil {
					return nil, err
				}
				w.ready = newReadiness("collector")
				return []part{collect}, nil
			})
		},
	}
	return parent("collect", "Run a collector apart, as a process of its own", run)
}

func correlateCommand(sh *shell) *cobra.Command {
	var newLog bool
	cmd := &cobra.Command{
		Use: "correlate", Short: "Run the correlator and the conductor apart", Args: noArgs,
		Example: "  firebreak correlate --config core.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.pipeline(cmd.Context(), "correlate", func(w *wiring) ([]part, error) {
				lib, err := loadLibrary(w.cfg, w.log)
				if err != nil {
					return nil, err
				}
				w.newLog.Store(newLog)
				w.ready = newReadiness("correlator", "responder core")
				return []part{w.core(lib)}, nil
			})
		},
	}
	newLogFlag(cmd, &newLog)
	return cmd
}

func respondCommand(sh *shell) *cobra.Command {
	var place string
	cmd := &cobra.Command{
		Use: "respond --at node", Short: "Run a responder apart", Args: noArgs,
		Example: "  firebreak respond --at node --config node.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if place != "node" {
				return usagef("--at %q: a responder can be at: node", visible(place))
			}
			return sh.pipeline(cmd.Context(), "respond", func(w *wiring) ([]part, error) {
				node, err := w.node()
				if err != nil {
					return nil, err
				}
				w.ready = newReadiness("responder node")
				return []part{node}, nil
			})
		},
	}
	cmd.Flags().StringVar(&place, "at", "node", "where it acts: node")
	return cmd
}

// busOnly waits while the embedded server serves.
func busOnly(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}
