package playbook

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// maxFile is the largest playbook that is read: a hundred times the longest one
// that a person would write.
const maxFile = 1 << 20

// FromFS collects the playbooks of a folder and of those below it: every
// *.yaml and *.yml but the tests (*.test.yaml) and what begins with a dot. mode
// is the cap of them all, "" for none.
func FromFS(fsys fs.FS, mode string) ([]Source, error) {
	var sources []Source
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch base := path.Base(name); {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(base, "."):
			// Mounted configuration holds its files a second time in such folders.
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir() || !isPlaybook(base):
			return nil
		}
		info, err := fs.Stat(fsys, name)
		switch {
		case err != nil:
			return err
		case !info.Mode().IsRegular(): // opening a pipe would wait for ever
			return fmt.Errorf("%s is not a regular file", name)
		case info.Size() > maxFile:
			return fmt.Errorf("%s is larger than %d bytes", name, maxFile)
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		sources = append(sources, Source{Name: name, Data: data, Mode: mode})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("collect playbooks: %w", err)
	}
	return sources, nil
}

func isPlaybook(name string) bool {
	stem, ext := strings.TrimSuffix(name, path.Ext(name)), path.Ext(name)
	return (ext == ".yaml" || ext == ".yml") && !strings.HasSuffix(stem, ".test")
}
