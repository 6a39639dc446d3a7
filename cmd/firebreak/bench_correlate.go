package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"firebreak/playbooks"
	"firebreak/services/bench/correlate"
	"firebreak/services/playbook"
	"firebreak/services/responder/action"
)

// measures in the order in which they run.
var measures = []string{"match", "windows", "pipeline", "latency", "replay", "recovery", "hostile"}

// measured is what came of one measure.
type measured interface{ Targets() []correlate.Target }

// correlateSummary is the last line of `firebreak bench correlate`.
type correlateSummary struct {
	Measure string             `json:"measure"`
	Seed    uint64             `json:"seed"`
	Scale   float64            `json:"scale"`
	Machine correlate.Machine  `json:"machine"`
	Loads   map[string]float64 `json:"loads"` // of the last minute, before each measure
	Targets []correlate.Target `json:"targets"`
}

// correlateBench is one run.
type correlateBench struct {
	sh    *shell
	seed  uint64
	scale float64
	dir   string
}

func benchCorrelate(sh *shell) *cobra.Command {
	b := &correlateBench{sh: sh}
	var only []string
	cmd := &cobra.Command{
		Use: "correlate", Short: "Measure matching, windows, the way into the ledger, replay and recovery", Args: noArgs,
		Long: `Measure how fast events are decoded, matched and stored, each figure beside its
baseline in the same run. It starts a bus of its own in a temporary folder and
touches nothing else; root is not needed. The whole takes some ten minutes and
3 GB of disk; --scale 0.1 is a quick look.

match     decoding and matching on one core, sets of 10, 1,000 and 10,000
windows   memory of a million open windows, time of an update
pipeline  publish → incident stored, to a bare ordered consumer
latency   event stored → incident stored, at 1,000 events a second
replay    a file of a million events through the library
recovery  kill -9 with a million events in open windows → at work again
hostile   playbooks and events that are meant to do harm

--json prints one object for each measure, and a summary. No figure fails the
command: machines differ.`,
		Example: `  firebreak bench correlate --json
  firebreak bench correlate --only match,windows --seed 7
  firebreak bench correlate --scale 0.1`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range only {
				if !slices.Contains(measures, name) {
					return usagef("--only %q: there are %s", visible(name), strings.Join(measures, ", "))
				}
			}
			if !(b.scale > 0 && b.scale <= 1) {
				return usagef("--scale %g: want more than 0, up to 1", b.scale)
			}
			return b.run(cmd.Context(), only)
		},
	}
	cmd.Flags().Uint64Var(&b.seed, "seed", 1, "seed of all events")
	cmd.Flags().StringSliceVar(&only, "only", nil, "measures to take: "+strings.Join(measures, ","))
	cmd.Flags().Float64Var(&b.scale, "scale", 1, "share of the events and windows, for a quick look")
	return cmd
}

func (b *correlateBench) run(ctx context.Context, only []string) (err error) {
	machine, err := correlate.ThisMachine()
	if err != nil {
		return err
	}
	fmt.Fprintf(b.sh.err, "%d cores, load %.2f before the run: take the ratios\n", machine.Cores, machine.Load1)
	if b.dir, err = os.MkdirTemp("", "firebreak-bench-"); err != nil {
		return fmt.Errorf("a folder for the run: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	sum := correlateSummary{Measure: "summary", Seed: b.seed, Scale: b.scale, Machine: machine, Loads: map[string]float64{}, Targets: []correlate.Target{}}
	for _, name := range measures {
		if len(only) > 0 && !slices.Contains(only, name) {
			continue
		}
		now, err := correlate.ThisMachine()
		if err != nil {
			return err
		}
		sum.Loads[name] = now.Load1
		fmt.Fprintf(b.sh.err, "%s (load %.2f)\n", name, now.Load1)
		result, err := b.measure(ctx, name)
		if err != nil {
			return err
		}
		sum.Targets = append(sum.Targets, result.Targets()...)
		if err := b.tell(result); err != nil {
			return err
		}
	}
	if b.sh.json {
		return b.sh.line(sum)
	}
	return b.sh.printTargets(sum)
}

// of scales a size; a few are always left.
func (b *correlateBench) of(n, least int) int { return max(int(float64(n)*b.scale), least) }

func (b *correlateBench) measure(ctx context.Context, name string) (measured, error) {
	specs, progress := action.Specs(), func(what string) correlate.Progress { return correlate.Progress(b.sh.progress(what)) }
	switch name {
	case "match":
		return correlate.Match{
			Seed: b.seed, N: b.of(20_000, 200), Passes: 20, Rounds: 5, Playbooks: []int{b.of(10, 10), b.of(1000, 20), b.of(10_000, 30)}, Rates: []float64{0, 0.01, 0.1},
			Specs: specs, Progress: progress("rounds"),
		}.Run(ctx)
	case "windows":
		return correlate.Windows{Seed: b.seed, N: b.of(1_000_000, 1000), Updates: b.of(200_000, 1000), Specs: specs, Progress: progress("operators")}.Run(ctx)
	case "pipeline":
		return correlate.Pipeline{
			Seed: b.seed, N: b.of(200_000, 500), Rounds: 5, Playbooks: b.of(1000, 10), Share: 0.01, Dir: b.dir, Specs: specs, Progress: progress("rounds"),
		}.Run(ctx)
	case "latency":
		return correlate.Latency{
			Seed: b.seed, N: b.of(30_000, 500), Rate: 1000, Playbooks: b.of(1000, 10), Share: 0.01, Dir: b.dir, Specs: specs, Progress: progress("events"),
		}.Run(ctx)
	case "replay":
		library, err := playbook.FromFS(playbooks.FS, "")
		if err != nil {
			return nil, fmt.Errorf("library: %w", err)
		}
		return correlate.Replay{
			Seed: b.seed, N: b.of(1_000_000, 1000), Rounds: 3, Dir: b.dir, Library: library, Specs: specs, Progress: progress("rounds"),
		}.Run(ctx)
	case "recovery":
		return b.recovery(ctx, progress("events"))
	default:
		return correlate.Hostile{Seed: b.seed, Playbooks: b.of(10_000, 30), Repeats: b.of(20, 3), Specs: specs, Progress: progress("parts")}.Run(ctx)
	}
}

func (b *correlateBench) recovery(ctx context.Context, progress correlate.Progress) (measured, error) {
	windows := b.of(100_000, 50)
	core, err := newCoreProcess(filepath.Join(b.dir, "recovery"))
	if err != nil {
		return nil, err
	}
	r := correlate.Recovery{N: 10 * windows, Windows: windows, Data: core.data(), Process: core, Progress: progress}
	if err := core.configure(r.RecoveryPlaybooks()); err != nil {
		return nil, err
	}
	return r.Run(ctx)
}
