package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"firebreak/services/playbook"
)

// mostPlaybook bounds what is read from standard input.
const mostPlaybook = 4 << 20

func playbookFmt(sh *shell) *cobra.Command {
	var write, check bool
	cmd := &cobra.Command{
		Use: "fmt PATH…|-", Short: "Write playbooks in their canonical form",
		Long: `Write playbooks in their canonical form: keys in the order of the guide, two
spaces for each level, comments kept. One file is printed; -w writes files anew,
those of folders too, and --check only names the ones that it would change. A
file with errors stays as it is.

Exit code 1 when a file has errors, or when --check names one.`,
		Example:           "  firebreak playbook fmt my.yaml\n  firebreak playbook fmt -w my-playbooks\n  firebreak playbook fmt --check my-playbooks",
		ValidArgsFunction: completeFiles,
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return usagef("name a playbook, a folder of them, or - for standard input")
			case write && check:
				return usagef("-w writes and --check does not: give one of them")
			case write && count1(args, "-") > 0:
				return usagef("-w has no file to write for standard input")
			}
			files, err := sh.toFormat(args)
			if err != nil {
				return err
			}
			if len(files) > 1 && !write && !check {
				return usagef("%d playbooks are too many to be printed: -w writes them, --check names those that would change", len(files))
			}
			return sh.format(files, write, check)
		},
	}
	cmd.Flags().BoolVarP(&write, "write", "w", false, "write the files instead of printing one")
	cmd.Flags().BoolVar(&check, "check", false, "name the files that would change, and write none")
	return cmd
}

// toFormat reads the playbooks of paths.
func (sh *shell) toFormat(paths []string) ([]playbook.Source, error) {
	var all []playbook.Source
	for _, p := range paths {
		if p == "-" {
			raw, err := io.ReadAll(io.LimitReader(sh.in, mostPlaybook+1))
			switch {
			case err != nil:
				return nil, fmt.Errorf("standard input: %w", err)
			case len(raw) > mostPlaybook:
				return nil, usagef("standard input is longer than %d MiB: that is no playbook", mostPlaybook>>20)
			}
			all = append(all, playbook.Source{Name: "-", Data: raw})
			continue
		}
		found, err := read(p)
		if err != nil {
			return nil, usageError{err}
		}
		if len(found) == 0 {
			return nil, usagef("no playbook in %s: they end in .yaml", p)
		}
		all = append(all, found...)
	}
	return all, nil
}

// formatView is one file of --json.
type formatView struct {
	File    string `json:"file"`
	Changed bool   `json:"changed"`
}

func (sh *shell) format(files []playbook.Source, write, check bool) error {
	failed, changed := 0, 0
	for _, f := range files {
		out, findings := playbook.Format(f.Data)
		if playbook.Failed(findings) {
			failed++
			for _, finding := range findings {
				finding.File = f.Name
				fmt.Fprintln(sh.err, visible(finding.String()))
			}
			continue
		}
		differs := !bytes.Equal(out, f.Data)
		if differs {
			changed++
		}
		if err := sh.formatted(f.Name, out, differs, write, check); err != nil {
			return err
		}
	}
	if failed > 0 || check && changed > 0 {
		return errFound
	}
	return nil
}

// formatted writes, names or prints one file.
func (sh *shell) formatted(name string, out []byte, differs, write, check bool) error {
	if !write && !check {
		_, err := sh.out.Write(out)
		return err
	}
	if write && differs {
		if err := rewrite(name, out); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	if sh.json {
		return sh.line(formatView{name, differs})
	}
	if differs {
		sh.say("%s", visible(name))
	}
	return nil
}

// rewrite puts a file in the place of another at once, with its mode and owner.
// Where a link leads, the file there is written.
func rewrite(name string, data []byte) (err error) {
	if name, err = filepath.EvalSymlinks(name); err != nil {
		return err
	}
	was, err := os.Stat(name)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err = f.Write(data); err == nil {
		err = f.Chmod(was.Mode().Perm())
	}
	if owner, is := was.Sys().(*syscall.Stat_t); err == nil && is {
		err = f.Chown(int(owner.Uid), int(owner.Gid))
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
