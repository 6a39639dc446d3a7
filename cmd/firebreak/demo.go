package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"firebreak/schemas"
	"firebreak/services/demo"
)

func demoCommand(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use: "demo", Short: "See a miner contained, verified and released, on a containerd of its own", Args: noArgs,
		Long: `Start a containerd in a folder of its own with an innocent container and one in
which a file named xmrig is dropped and executed; show the timeline as it
happens; release; clean up. The last line is one JSON object. Exit code 1 when
any of it did not happen.`,
		Example: "  firebreak demo",
		RunE: func(cmd *cobra.Command, _ []string) error {
			result, played, err := sh.demo(cmd.Context())
			if played { // the last line says what happened, also when not all of it did
				err = errors.Join(err, sh.line(result))
			}
			if err != nil {
				return fmt.Errorf("demo: %w", err)
			}
			if !result.Good() {
				return errFound
			}
			return nil
		},
	}
}

// demo plays it; played says that it came so far as to have a result.
func (sh *shell) demo(ctx context.Context) (result demo.Result, played bool, err error) {
	say := func(line string) {
		if !sh.json {
			sh.say("%s", visible(line))
		}
	}
	r, err := startRig(ctx, "", say)
	if err != nil {
		return result, false, err
	}
	defer func() {
		say("cleaning up")
		err = errors.Join(err, r.stop(context.WithoutCancel(ctx)))
	}()
	traces := filepath.Join(r.dir, "traces")
	if err := os.Mkdir(traces, 0o700); err != nil {
		return result, false, err
	}
	result, err = demo.Demo{
		Lab: r.lab, Pipeline: r.people, Binary: r.workload, Dir: traces, Say: say,
		Release: func(ctx context.Context, id string) error {
			return askRelease(ctx, r.people, id, schemas.ReleaseAsked{By: whoami(), Why: "the demo is over"})
		},
	}.Run(ctx)
	return result, true, err
}
