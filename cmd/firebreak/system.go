package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"firebreak/schemas"
	"firebreak/services/telemetry"
)

func runCommand(sh *shell) *cobra.Command {
	var newLog bool
	cmd := &cobra.Command{
		Use: "run", Short: "Run the whole pipeline in one process", Args: noArgs,
		Long: `Run the whole pipeline in one process: the bus (unless bus.url names another),
the collector, correlator and conductor, and the responder of this node.

It wants root on a host with containerd. It ends on SIGTERM or Ctrl-C; what it
contained stays contained.`,
		Example: "  firebreak run --config firebreak.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.pipeline(cmd.Context(), "run", func(w *wiring) ([]part, error) {
				lib, err := loadLibrary(w.cfg, w.log)
				if err != nil {
					return nil, err
				}
				collect, err := w.collector()
				if err != nil {
					return nil, err
				}
				node, err := w.node()
				if err != nil {
					return nil, err
				}
				w.newLog.Store(newLog)
				w.ready = newReadiness("collector", "correlator", "responder core", "responder node")
				return []part{collect, w.core(lib), node}, nil
			})
		},
	}
	newLogFlag(cmd, &newLog)
	return cmd
}

// newLogFlag is how a person says that the log was deleted or restored on purpose.
func newLogFlag(cmd *cobra.Command, into *bool) {
	cmd.Flags().BoolVar(into, "new-log", false, "EVENTS was deleted or restored on purpose: forget how far it was read, and read it from its start")
}

// pipeline sets a process up: configuration, log, lock, priority, and the
// embedded bus where the parts want one.
func (sh *shell) pipeline(ctx context.Context, name string, build func(*wiring) ([]part, error)) error {
	cfg, err := loadConfig(sh.config)
	if err != nil {
		return err
	}
	log, err := telemetry.New(sh.err, telemetry.Config{Level: cfg.Log.Level, Format: cfg.Log.Format})
	if err != nil {
		return usageError{err}
	}
	w := &wiring{cfg: cfg, log: log, at: sh.at, ready: newReadiness()}
	parts, err := build(w)
	if err != nil {
		return err
	}
	unlock, err := lockDataDir(cfg.DataDir, name)
	if err != nil {
		return err
	}
	defer unlock()
	warnRights(log, name)
	if name == "run" || name == "bus" {
		stop, err := w.startBus(ctx)
		if errors.Is(err, schemas.ErrInvalid) {
			return usageError{err}
		}
		if err != nil {
			return err
		}
		defer stop()
	}
	return w.runParts(ctx, parts)
}

// warnRights says what a process without root cannot do, and lifts one that
// contains above what it contains.
func warnRights(log *slog.Logger, name string) {
	if name != "run" && name != "respond" && name != "collect" {
		return
	}
	if os.Geteuid() != 0 {
		log.Warn("not root: the exec sensor and containment will most likely fail; `firebreak doctor` tells what this host allows")
		return
	}
	if name != "collect" {
		if err := raisePriority(); err != nil {
			log.Warn("containment has no priority over what it contains, and may be slow under load", "error", err)
		}
	}
}
