package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"firebreak/schemas"
)

func evidenceCommand(sh *shell) *cobra.Command {
	return parent("evidence", "List and fetch what was captured", evidenceList(sh), evidenceGet(sh))
}

// piece is one artefact of an incident.
type piece struct {
	Incident string `json:"incident"`
	Target   string `json:"target"`
	schemas.Artefact
}

func evidenceList(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use: "list ID", Short: "List the evidence of an incident with its digests", Args: exactly(1, "the id of one incident, or its beginning"),
		Example: "  firebreak evidence list 4kq2",
		RunE: func(cmd *cobra.Command, args []string) error {
			pieces := map[string][]piece{}
			all, err := sh.fold(cmd.Context(), func(r schemas.Record) {
				pieces[r.Incident] = append(pieces[r.Incident], artefacts(r)...)
			})
			if err != nil {
				return err
			}
			i, err := one(all, args[0])
			if err != nil {
				return err
			}
			if !sh.json && len(pieces[i.ID]) == 0 {
				sh.say("no evidence was captured for %s", i.ID)
				return nil
			}
			rows := [][]string{}
			for _, p := range pieces[i.ID] {
				if sh.json {
					if err := sh.line(p); err != nil {
						return err
					}
					continue
				}
				rows = append(rows, []string{p.Name, strconv.FormatInt(p.Size, 10), p.Digest, short(p.Target), p.Note})
			}
			if sh.json {
				return nil
			}
			return table(sh.out, []string{"NAME", "BYTES", "DIGEST", "TARGET", "NOTE"}, rows)
		},
	}
}

func artefacts(r schemas.Record) []piece {
	if r.Kind != schemas.KindApplied {
		return nil
	}
	var e schemas.Effect
	var data struct {
		Artefacts []schemas.Artefact `json:"artefacts"`
	}
	if json.Unmarshal(r.Data, &e) != nil || json.Unmarshal(e.Data, &data) != nil {
		return nil
	}
	pieces := make([]piece, 0, len(data.Artefacts))
	for _, a := range data.Artefacts {
		pieces = append(pieces, piece{Incident: r.Incident, Target: e.Plan.Target.ID, Artefact: a})
	}
	return pieces
}

func evidenceGet(sh *shell) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use: "get DIGEST", Short: "Fetch one artefact, checked against its digest", Args: exactly(1, "one digest, as `evidence list` prints it"),
		Example: "  firebreak evidence get sha256:9f86d0… --output rootfs.tar",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if !strings.HasPrefix(args[0], "sha256:") {
				return usagef("%q is no digest: it begins with sha256:", visible(args[0]))
			}
			people, done, err := sh.people(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			blob, err := people.Blob(cmd.Context(), args[0])
			if err != nil {
				return fmt.Errorf("fetch %s: %w", visible(args[0]), err)
			}
			defer blob.Close()
			out := sh.out
			if to != "" {
				f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the person names the file
				if err != nil {
					return fmt.Errorf("write the evidence: %w", err)
				}
				defer func() {
					if e := f.Close(); err == nil && e != nil {
						err = fmt.Errorf("write the evidence: %w", e)
					}
					if err != nil { // half of it, or another's content, is no evidence
						err = errors.Join(err, os.Remove(to))
					}
				}()
				out = f
			}
			if _, err := io.Copy(out, blob); err != nil {
				return fmt.Errorf("fetch %s: %w", visible(args[0]), err)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&to, "output", "o", "", "file to write; it must not exist (default: standard output)")
	return cmd
}
