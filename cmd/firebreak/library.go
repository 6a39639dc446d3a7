package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/responder/action"
)

// settle is how long the folders must be quiet before they are read again:
// an editor writes a file in several steps.
const settle = 300 * time.Millisecond

// library is the set of playbooks in force, and the folders it comes from.
type library struct {
	cfg config

	mu    sync.Mutex
	set   *playbook.Set
	caps  map[string]map[string]string // of guard.mode, by a set's digest and the source's name; a few words for each set that was loaded
	fresh chan *playbook.Set           // the newest set that the correlator has not taken yet
}

// loadLibrary loads all playbooks; every error of theirs is told.
func loadLibrary(cfg config, log *slog.Logger) (*library, error) {
	l := &library{cfg: cfg, caps: map[string]map[string]string{}, fresh: make(chan *playbook.Set, 1)}
	set, err := l.load(log)
	if err != nil {
		return nil, usageError{err}
	}
	l.set = set
	return l, nil
}

func (l *library) load(log *slog.Logger) (*playbook.Set, error) {
	all, err := sources(l.cfg)
	if err != nil {
		return nil, err
	}
	set, findings := playbook.Load(all, action.Specs())
	errs := 0
	for _, f := range findings {
		if f.Severity == playbook.SeverityError {
			errs++
			log.Error("playbook", "finding", f.String())
		}
	}
	if set == nil {
		return nil, fmt.Errorf("playbooks: %d errors, the first: %s", errs, firstError(findings))
	}
	caps := map[string]string{}
	for _, s := range all {
		if s.Mode != "" {
			caps[s.Name] = s.Mode
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.caps[set.Digest] = caps
	return set, nil
}

// sources gives all that [compileSet] needs to make a set again.
func (l *library) sources(set *playbook.Set) map[string][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := maps.Clone(set.Sources)
	caps, err := json.Marshal(l.caps[set.Digest])
	if err == nil && len(l.caps[set.Digest]) > 0 {
		all[schemas.CapsEntry] = caps
	}
	return all
}

// compileSet makes a set of the past from its sources, for the actions of this program.
func compileSet(sources map[string][]byte) (*playbook.Set, error) {
	caps := map[string]string{}
	if raw, ok := sources[schemas.CapsEntry]; ok {
		if err := json.Unmarshal(raw, &caps); err != nil {
			return nil, fmt.Errorf("%s: %w: %w", schemas.CapsEntry, schemas.ErrInvalid, err)
		}
	}
	var all []playbook.Source
	for name, data := range sources {
		if name != schemas.CapsEntry {
			all = append(all, playbook.Source{Name: name, Data: data, Mode: caps[name]})
		}
	}
	set, findings := playbook.Load(all, action.Specs())
	if set == nil {
		return nil, errors.New(firstError(findings))
	}
	return set, nil
}

func (l *library) current() *playbook.Set {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.set
}

func (l *library) changes() <-chan *playbook.Set { return l.fresh }

// watch loads the playbooks anew whenever their folders change. A set with one
// error leaves the one in force as it is, and says so.
func (l *library) watch(ctx context.Context, log *slog.Logger) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the folders of playbooks: %w", err)
	}
	defer watcher.Close()
	if err := l.follow(watcher); err != nil {
		return err
	}
	quiet := time.NewTimer(settle)
	quiet.Stop()
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-watcher.Errors:
			log.Warn("watching the folders of playbooks; a change may be missed", "error", err)
			quiet.Reset(settle)
		case e := <-watcher.Events:
			if l.concerns(e.Name) {
				quiet.Reset(settle)
			}
		case <-quiet.C:
			if err := l.follow(watcher); err != nil {
				log.Warn("watching the folders of playbooks", "error", err)
			}
			l.reload(log)
		}
	}
}

// concerns says whether a change is one of playbooks: what else happens in the
// folders around them may never be quiet.
func (l *library) concerns(path string) bool {
	return slices.ContainsFunc(l.cfg.Playbooks, func(root string) bool {
		return within(path, root) || within(path, resolved(root))
	})
}

func within(path, root string) bool {
	rel, err := filepath.Rel(root, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// resolved is where a link leads; loading says what is the matter with one
// that leads nowhere.
func resolved(root string) string {
	if target, err := filepath.EvalSymlinks(root); err == nil {
		return target
	}
	return root
}

// follow adds the folders, those below them, and the folder around each: a
// folder that is replaced as a whole takes its own watch with it.
func (l *library) follow(watcher *fsnotify.Watcher) error {
	for _, root := range l.cfg.Playbooks {
		if err := watcher.Add(filepath.Dir(root)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("watch the folder of %s: %w", root, err)
		}
		// A link is watched where it lies, by the line above, and where it leads.
		err := filepath.WalkDir(resolved(root), func(path string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil // loading says so
			case err != nil:
				return err
			case d.IsDir():
				return watcher.Add(path)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("watch the playbooks in %s: %w", root, err)
		}
	}
	return nil
}

func (l *library) reload(log *slog.Logger) {
	set, err := l.load(log)
	if err != nil {
		log.Error("the playbooks changed, and are not loaded; the set before stays in force", "error", err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if set.Digest == l.set.Digest {
		return
	}
	l.set = set
	select { // the newest counts: one that was not taken yet is replaced
	case <-l.fresh:
	default:
	}
	l.fresh <- set
	log.Info("playbooks loaded", "playbooks", len(set.Playbooks), "digest", set.Digest)
}
