package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"firebreak/services/bench"
	"firebreak/services/telemetry"
)

func benchCommand(sh *shell) *cobra.Command {
	return parent("bench", "Repeat the published measurements on this machine", benchContain(sh), benchExec(sh), benchIdle(sh), benchCorrelate(sh), benchCore(sh))
}

func benchContain(sh *shell) *cobra.Command {
	var n int
	cmd := &cobra.Command{
		Use: "contain", Short: "Time containment beside a bare pause of the same containers", Args: noArgs,
		Long: `Start real containers of two shapes, alone and in a pod's cgroup, each running
several threads and a fork loop. Pause each barely and resume it, then let it
execute a miner and time what Firebreak does. The last line is one JSON object;
"ratios" are against the bare pause of the same run.`,
		Example: "  firebreak bench contain -n 300 --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if n < 1 {
				return usagef("-n %d: at least 1", n)
			}
			return sh.onRig(cmd.Context(), func(ctx context.Context, r *rig) error {
				traces := filepath.Join(r.dir, "traces")
				if err := os.Mkdir(traces, 0o700); err != nil {
					return err
				}
				result, err := bench.Contain{
					N: n, Lab: r.lab, Pipeline: r.people, Binary: r.workload, Dir: traces, Progress: sh.progress("containers"), Log: telemetry.Discard(),
				}.Run(ctx)
				if err != nil {
					return fmt.Errorf("%w\n%s", err, r.tail())
				}
				if !sh.json {
					if err := sh.printContained(result); err != nil {
						return err
					}
				}
				return sh.line(result)
			})
		},
	}
	cmd.Flags().IntVarP(&n, "number", "n", 60, "containers of each shape")
	return cmd
}

func (sh *shell) printContained(r bench.ContainResult) error {
	for _, shape := range []struct {
		name string
		c    bench.Contained
	}{{"alone", r.Contained}, {"in a pod's cgroup", r.Pod}} {
		rows := [][]string{}
		row := func(name string, f bench.Figures) {
			rows = append(rows, []string{
				name, fmt.Sprintf("%.1f", f.P50), fmt.Sprintf("%.1f", f.P95), fmt.Sprintf("%.1f", f.P99),
				fmt.Sprintf("%.2f", bench.Ratio(f.P50, shape.c.Bare.P50)), fmt.Sprintf("%.2f", bench.Ratio(f.P99, shape.c.Bare.P99)),
			})
		}
		row("bare pause", shape.c.Bare)
		row("halted", shape.c.Halted)
		row("paused", shape.c.Paused)
		row("verified", shape.c.Verified)
		if err := table(sh.out, []string{shape.name, "P50 ms", "P95 ms", "P99 ms", "P50 ×", "P99 ×"}, rows); err != nil {
			return err
		}
		sh.say("")
	}
	return nil
}

func benchExec(sh *shell) *cobra.Command {
	var n, rate int
	cmd := &cobra.Command{
		Use: "exec", Short: "Count and time the execs of a container on their way into the log", Args: noArgs,
		Example: "  firebreak bench exec -n 2000 --rate 200 --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.onRig(cmd.Context(), func(ctx context.Context, r *rig) error {
				result, err := bench.Execs{N: n, Rate: rate, Lab: r.lab, Pipeline: r.people, Binary: r.workload, Progress: sh.progress("execs")}.Run(ctx)
				if err != nil {
					return err
				}
				if err := sh.line(result); err != nil {
					return err
				}
				if result.Lost > 0 || result.Twice > 0 {
					return errFound
				}
				return nil
			})
		},
	}
	cmd.Flags().IntVarP(&n, "number", "n", 2000, "execs")
	cmd.Flags().IntVar(&rate, "rate", 200, "execs a second")
	return cmd
}

func benchIdle(sh *shell) *cobra.Command {
	var n int
	var span time.Duration
	cmd := &cobra.Command{
		Use: "idle", Short: "See what the pipeline costs when nothing happens, the bus included", Args: noArgs,
		Example: "  firebreak bench idle -n 50 --for 60s --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if n < 0 || span < time.Second {
				return usagef("-n cannot be negative, and --for is at least 1s")
			}
			return sh.onRig(cmd.Context(), func(ctx context.Context, r *rig) error {
				result, err := bench.Idle{N: n, For: span, Lab: r.lab, PID: r.run.Process.Pid, Progress: sh.progress("seconds")}.Run(ctx)
				if err != nil {
					return err
				}
				return sh.line(result)
			})
		},
	}
	cmd.Flags().IntVarP(&n, "number", "n", 50, "sleeping containers")
	cmd.Flags().DurationVar(&span, "for", time.Minute, "how long to look")
	return cmd
}

// onRig runs a measurement and cleans up after it.
func (sh *shell) onRig(ctx context.Context, measure func(context.Context, *rig) error) (err error) {
	r, err := startRig(ctx, bench.Playbook, func(line string) { fmt.Fprintln(sh.err, line) })
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, r.stop(context.WithoutCancel(ctx))) }()
	return measure(ctx, r)
}

// progress shows how far it has come: one line that is written over on a
// terminal, a line for each tenth elsewhere.
func (sh *shell) progress(what string) bench.Progress {
	f, isFile := sh.err.(*os.File)
	terminal := isFile && term.IsTerminal(int(f.Fd()))
	last := -1
	return func(done, total int) {
		tenth := 10 * done / max(total, 1)
		switch {
		case terminal:
			fmt.Fprintf(sh.err, "\r%d of %d %s", done, total, what)
			if done >= total {
				fmt.Fprintln(sh.err)
			}
		case tenth != last:
			last = tenth
			fmt.Fprintf(sh.err, "%d of %d %s\n", done, total, what)
		}
	}
}
