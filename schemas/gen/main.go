// Command gen writes the JSON Schemas of the wire contract from its Go types:
// json/<type>.json for the data of every event type of the catalog, and
// json/firebreak.ledger.<kind>.json for the data of every kind of record. A
// test fails when the files and the types differ.
//
// Run it from the repository's root: go run ./schemas/gen. The schema of
// playbooks is written by the package that reads them,
// services/playbook/document.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"firebreak/schemas"
)

//go:generate go run . -root ../..

func main() {
	root := flag.String("root", ".", "the repository's root")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// folder is where the schemas lie below the root.
const folder = "schemas/json"

func run(root string) error {
	// Comments are found by paths relative to the root.
	if err := os.Chdir(root); err != nil {
		return err
	}
	files, err := generate()
	if err != nil {
		return err
	}
	old, err := filepath.Glob(folder + "/*.json")
	if err != nil {
		return err
	}
	for _, path := range old {
		if files[filepath.Base(path)] == nil {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil { //nolint:gosec // sources are readable
			return err
		}
	}
	return nil
}

// generate gives the files by name. The working directory must be the root.
func generate() (map[string][]byte, error) {
	r, err := reflector()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, e := range schemas.Catalog {
		if files[e.Type+".json"], err = render(r, e.Type, e.Summary, e.Data); err != nil {
			return nil, err
		}
	}
	for _, k := range kinds {
		typ := schemas.RecordPrefix + string(k.kind)
		if files[typ+".json"], err = render(r, typ, k.summary, k.data); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func indent(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
