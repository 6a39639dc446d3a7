package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"firebreak/schemas"
	"firebreak/services/workshop/scaffold"
	"firebreak/services/workshop/suite"
)

func playbookNew(sh *shell) *cobra.Command {
	var wish scaffold.Wish
	var dir string
	cmd := &cobra.Command{
		Use: "new NAME", Short: "Write a playbook and its tests that pass as they are",
		Long: `Write NAME.yaml and NAME.test.yaml. Both are complete: the playbook lints clean
and its tests pass, one that fires and one that stays silent. Change them from
there. A file that is there already is never overwritten.

Where the folder holds the schemas that "playbook schema" prints, both begin with
the line by which editors find them.`,
		Example: `  firebreak playbook new my-first
  firebreak playbook new ssh-guessing --type host.login.failed --operator count --dir playbooks`,
		Args: exactly(1, "the name of the playbook"),
		RunE: func(_ *cobra.Command, args []string) error {
			wish.Name = args[0]
			return sh.writeNew(wish, dir)
		},
	}
	cmd.Flags().StringVar(&wish.Arena, "arena", "", "arena: "+strings.Join(scaffold.Arenas(), ", ")+" (default: that of --type, else runtime)")
	cmd.Flags().StringVar(&wish.Type, "type", "", "type of the event to wait for, such as runtime.process.started")
	cmd.Flags().StringVar(&wish.Operator, "operator", "", "how signals are joined: "+strings.Join(scaffold.Operators(), ", ")+" (default: a single event)")
	cmd.Flags().StringVar(&dir, "dir", ".", "folder to write to")
	complete(cmd, "arena", scaffold.Arenas())
	complete(cmd, "operator", scaffold.Operators())
	complete(cmd, "type", typeNames())
	return cmd
}

func typeNames() []string {
	var out []string
	for _, e := range schemas.Catalog {
		out = append(out, schemas.ShortType(e.Type)+"\t"+e.Summary)
	}
	return out
}

func (sh *shell) writeNew(wish scaffold.Wish, dir string) error {
	text, tests, err := scaffold.New(wish)
	if errors.Is(err, schemas.ErrInvalid) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return usagef("--dir: %s is no folder", dir)
	}
	text, err = pointed(dir, playbookSchemaFile, text)
	if err != nil {
		return err
	}
	tests, err = pointed(dir, testSchemaFile, tests)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, wish.Name+".yaml")
	testFile := filepath.Join(dir, wish.Name+suite.Ending)
	if err := writeFresh(file, text); err != nil {
		return err
	}
	if err := writeFresh(testFile, tests); err != nil {
		return errors.Join(err, os.Remove(file)) // half a pair would be in the way of the next attempt
	}
	if sh.json {
		return sh.line(struct {
			Playbook string `json:"playbook"`
			Tests    string `json:"tests"`
		}{file, testFile})
	}
	sh.say("%s\n%s\n", file, testFile)
	sh.say("Now:")
	sh.say("  1. change `on` and `when` to what you wait for, and the events in the tests with it")
	sh.say("  2. firebreak playbook lint %s", file)
	sh.say("  3. firebreak playbook test %s", file)
	sh.say("  4. write the summary and the severity; say guard.mode: enforce when you trust it")
	sh.say("For an editor that completes keys: firebreak playbook schema --help")
	return nil
}

// writeFresh writes a file that is not there yet.
func writeFresh(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640) //nolint:gosec // the name is the person's own
	switch {
	case errors.Is(err, os.ErrExist):
		return usagef("%s is there already, and is not overwritten: choose another name or folder", name)
	case errors.Is(err, os.ErrNotExist):
		return usagef("there is no folder %s", filepath.Dir(name))
	case err != nil:
		return fmt.Errorf("write %s: %w", name, err)
	}
	if _, err := f.Write(text); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), f.Close(), os.Remove(name))
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// complete offers the values of a flag to the shell.
func complete(cmd *cobra.Command, flag string, values []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values, cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		cmd.Long += "\n(" + err.Error() + ")" // a flag that is not there: the test of the help sees it
	}
}
