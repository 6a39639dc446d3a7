package spool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Loss is how many events of one source (its CloudEvents source) were left out, and why.
type Loss struct {
	Source string `json:"source"`
	Reason string `json:"reason"`
	Count  uint64 `json:"count"`
}

type lossKey struct{ source, reason string }

// Lose counts an event that was left out. The count is kept on disk, as far
// as the disk lets it, until [Spool.Told].
func (s *Spool) Lose(source, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lose(source, reason)
}

func (s *Spool) lose(source, reason string) {
	s.lost[lossKey{source, reason}]++
	// The first loss is written at once, the rest with the next Sync: a flood
	// must not cost a file each.
	if len(s.lost) == 1 && s.lost[lossKey{source, reason}] == 1 {
		s.saveLost()
		return
	}
	s.lostDirty = true
}

// Losses gives what was left out and not yet told.
func (s *Spool) Losses() []Loss {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.losses()
}

func (s *Spool) losses() []Loss {
	all := make([]Loss, 0, len(s.lost))
	for k, n := range s.lost {
		all = append(all, Loss{Source: k.source, Reason: k.reason, Count: n})
	}
	return all
}

// Told takes a loss off the count once it was published.
func (s *Spool) Told(l Loss) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := lossKey{l.Source, l.Reason}
	if s.lost[k] <= l.Count {
		delete(s.lost, k)
	} else {
		s.lost[k] -= l.Count
	}
	s.saveLost()
}

// lostBlock is the size of lost.json, padded with blanks: its block is there
// before the disk is full, which is when it is needed.
const lostBlock = 4096

// saveLost writes the counts over in place, by one write. Where that fails,
// the counts in memory still stand, and the next Sync tries again.
func (s *Spool) saveLost() {
	raw, err := json.Marshal(s.losses())
	if err == nil {
		s.lostSize = max(lostBlock, s.lostSize, len(raw))
		raw = append(raw, bytes.Repeat([]byte(" "), s.lostSize-len(raw))...)
		_, err = s.lostFile.WriteAt(raw, 0)
	}
	s.lostDirty = err != nil
}

func (s *Spool) loadLost() (err error) {
	path := filepath.Join(s.cfg.Dir, "lost.json")
	if s.lost, err = readLost(path); err != nil {
		return err
	}
	if s.lostFile, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600); err != nil { //nolint:gosec // a path of our own making
		return fmt.Errorf("spool: open lost.json: %w", err)
	}
	info, err := s.lostFile.Stat()
	if err != nil {
		return fmt.Errorf("spool: look at lost.json: %w", err)
	}
	s.lostSize = int(info.Size())
	s.saveLost()
	return nil
}

func readLost(path string) (map[lossKey]uint64, error) {
	lost := map[lossKey]uint64{}
	raw, err := os.ReadFile(path) //nolint:gosec // below the spool's own folder
	if errors.Is(err, fs.ErrNotExist) {
		return lost, nil
	}
	if err != nil {
		return nil, fmt.Errorf("spool: read lost.json: %w", err)
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return lost, nil // made by a process that was killed before it could write
	}
	var all []Loss
	if err := json.Unmarshal(raw, &all); err != nil {
		// Torn by a power cut; that something was lost is still told.
		all = []Loss{{Source: "", Reason: "the count of losses was damaged", Count: 1}}
	}
	for _, l := range all {
		lost[lossKey{l.Source, l.Reason}] += l.Count
	}
	return lost, nil
}
