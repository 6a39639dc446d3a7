package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"firebreak/schemas"
)

// holdKey is where STATE keeps the hold.
const holdKey = "hold"

func holdCommand(sh *shell) *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use: "hold", Short: "Stop every automatic act until `resume`; releases still work", Args: noArgs,
		Long: `Stop every automatic act, on every node, until ` + "`firebreak resume`" + `.

Events are still collected and incidents still opened; their steps are not
carried out, with the hold as the reason. What is contained stays contained, and can be
released. The hold outlives restarts.`,
		Example: `  firebreak hold --why "maintenance of the shop until 03:00"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.setHold(cmd.Context(), true, why)
		},
	}
	cmd.Flags().StringVar(&why, "why", "", "why, for the ledger and for whoever finds it")
	return cmd
}

func resumeCommand(sh *shell) *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use: "resume", Short: "End the hold: act automatically again", Args: noArgs,
		Example: "  firebreak resume",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.setHold(cmd.Context(), false, why)
		},
	}
	cmd.Flags().StringVar(&why, "why", "", "why, for the ledger")
	return cmd
}

// setHold writes the state first and its history second: should the command
// be ended in between, the hold is in force all the same.
func (sh *shell) setHold(ctx context.Context, on bool, why string) error {
	if len(why) > maxWhy {
		return usagef("--why is %d bytes long; %d are enough for a reason", len(why), maxWhy)
	}
	people, done, err := sh.people(ctx)
	if err != nil {
		return err
	}
	defer done()
	now := schemas.Hold{On: on, By: whoami(), Why: why, Since: time.Now().UTC()}
	raw, err := json.Marshal(now)
	if err != nil {
		return err
	}
	if err := putHold(ctx, people, raw); err != nil {
		return err
	}
	kind := schemas.KindResumed
	if on {
		kind = schemas.KindHeld
	}
	if err := wish(ctx, people, schemas.IncidentHold, kind, schemas.HoldChange{By: now.By, Why: why}); err != nil {
		return fmt.Errorf("the hold is set as asked, but its history is not written: %w", err)
	}
	if sh.json {
		return sh.line(now)
	}
	if on {
		sh.say("held: nothing is done automatically until `firebreak resume`")
		return nil
	}
	sh.say("resumed: playbooks in `enforce` act again")
	return nil
}

// state is what the hold is written through.
type state interface {
	GetState(ctx context.Context, key string) (value []byte, revision uint64, err error)
	PutState(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
}

// putHold writes over whatever is there, also when another person does so too.
func putHold(ctx context.Context, st state, raw []byte) error {
	ctx, _, done := whileHeard(ctx)
	defer done()
	for tries := 0; ; tries++ {
		_, revision, err := st.GetState(ctx, holdKey)
		if err != nil {
			return fmt.Errorf("read the hold: %w", told(ctx, err))
		}
		if _, err = st.PutState(ctx, holdKey, raw, revision); err == nil {
			return nil
		}
		if !errors.Is(err, schemas.ErrConflict) || tries == 10 {
			return fmt.Errorf("write the hold: %w", told(ctx, err))
		}
	}
}
