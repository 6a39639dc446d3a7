package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"firebreak/schemas"
)

// Files that `playbook new` looks for, so that the first line of what it writes
// points an editor at them.
const (
	playbookSchemaFile = "playbook.schema.json"
	testSchemaFile     = "playbook-test.schema.json"
)

func playbookSchema(sh *shell) *cobra.Command {
	var tests bool
	cmd := &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of playbooks or of their tests, for editors", Args: noArgs,
		Long: `Print the JSON Schema of playbooks, or with --tests that of the tests beside
them. Editors with the YAML language server then complete keys and show mistakes
as you type. Where the files are named as below, the first line of what
"playbook new" writes points to them; in a file that is there already it is

  # yaml-language-server: $schema=` + playbookSchemaFile,
		Example: "  firebreak playbook schema > " + playbookSchemaFile + "\n  firebreak playbook schema --tests > " + testSchemaFile,
		RunE: func(*cobra.Command, []string) error {
			text := schemas.PlaybookSchema
			if tests {
				text = schemas.PlaybookTestSchema
			}
			_, err := fmt.Fprint(sh.out, text)
			return err
		},
	}
	cmd.Flags().BoolVar(&tests, "tests", false, "of test files, NAME.test.yaml")
	return cmd
}

// pointed begins a file of a folder with the line that points an editor at a
// schema, if the folder has that.
func pointed(dir, schema string, text []byte) ([]byte, error) {
	switch _, err := os.Stat(filepath.Join(dir, schema)); {
	case errors.Is(err, fs.ErrNotExist):
		return text, nil
	case err != nil:
		return nil, fmt.Errorf("look for the schema: %w", err)
	}
	return append([]byte("# yaml-language-server: $schema="+schema+"\n"), text...), nil
}
