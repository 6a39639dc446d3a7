package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"firebreak/schemas"
)

// ErrFull is wrapped by the error of an append that found no room.
var ErrFull = errors.New("no room left in the spool")

// Config says where the spool lies and how large it may grow.
type Config struct {
	Dir     string
	Limit   int64 // bytes of all segments together (64 MiB)
	Segment int64 // bytes of one segment (Limit/16, at most 4 MiB)
}

// Spool is an opened folder. Its methods may be called at the same time, but
// Next and Done belong to one reader.
type Spool struct {
	cfg Config

	mu     sync.Mutex
	lock   *os.File
	cursor *os.File
	segs   []segment // oldest first
	tail   *os.File  // the newest segment, open for appending; nil when there is none
	bytes  int64
	len    int
	dirty  bool // written since the last sync
	broken bool // the newest segment ends in a torn line that could not be taken back

	head   position
	reader *reader // reads segs[0]

	lost      map[lossKey]uint64
	lostFile  *os.File
	lostSize  int
	lostDirty bool
	torn      int64
}

// Open opens the folder, makes it when it is missing, and cuts off what a
// killed process left half written.
func Open(cfg Config) (*Spool, error) {
	if cfg.Limit <= 0 {
		cfg.Limit = 64 << 20
	}
	if cfg.Segment <= 0 {
		cfg.Segment = min(4<<20, cfg.Limit/16)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("spool: make the folder: %w: choose a folder that can be written", err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Spool{cfg: cfg, lock: lock}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, s.closeFiles())
	}
	return s, nil
}

// lockDir keeps a second process out; the kernel lets go when the first one ends.
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // below the spool's own folder
	if err != nil {
		return nil, fmt.Errorf("spool: open %s: %w", path, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(
			fmt.Errorf("spool: lock %s: %w: another collector uses this folder; stop it or give each its own", path, err), f.Close())
	}
	return f, nil
}

func (s *Spool) load() error {
	if err := s.loadLost(); err != nil {
		return err
	}
	var err error
	path := filepath.Join(s.cfg.Dir, "cursor")
	if s.head, err = readCursor(path); err != nil {
		return err
	}
	if s.cursor, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err != nil { //nolint:gosec // below the spool's own folder
		return fmt.Errorf("spool: open the cursor: %w", err)
	}
	// Written now, it has its block when the disk is full later on. A disk that
	// is full already is no reason not to begin.
	if err := writeCursor(s.cursor, s.head); err != nil && !errors.Is(err, unix.ENOSPC) {
		return err
	}
	if s.segs, err = segments(s.cfg.Dir); err != nil {
		return err
	}
	if n := len(s.segs); n > 0 && s.head.segment > s.segs[n-1].n+1 {
		s.head = position{} // no cursor of ours: repeating is harmless, skipping is not
	}
	for len(s.segs) > 0 && s.segs[0].n < s.head.segment { // delivered, not yet removed
		if err := s.removeHead(); err != nil {
			return err
		}
	}
	if len(s.segs) > 0 {
		if s.torn, err = cutTorn(s.cfg.Dir, &s.segs[len(s.segs)-1]); err != nil {
			return err
		}
	}
	if err := s.count(); err != nil {
		return err
	}
	if s.len == 0 {
		return s.empty()
	}
	return nil
}

// count finds how many events wait, and puts the cursor to a place that exists.
func (s *Spool) count() error {
	for i, seg := range s.segs {
		f, err := os.Open(s.path(seg.n))
		if err != nil {
			return fmt.Errorf("spool: open a segment: %w", err)
		}
		from := int64(0)
		if i == 0 {
			if s.head.segment != seg.n || s.head.offset > seg.size || !lineStart(f, s.head.offset) {
				s.head = position{segment: seg.n}
			}
			from = s.head.offset
		}
		_, lines, err := whole(f, from)
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("spool: read segment %s: %w", segmentName(seg.n), err)
		}
		s.len += lines
		s.bytes += seg.size
	}
	return nil
}

func (s *Spool) path(n uint64) string { return filepath.Join(s.cfg.Dir, segmentName(n)) }

// Len is how many events wait.
func (s *Spool) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.len
}

// Torn is how many bytes of an unfinished line Open cut off.
func (s *Spool) Torn() int64 { return s.torn }

// Append puts an event at the end. Its error wraps [ErrFull] when there is no
// room within the limit or on the disk, and [schemas.ErrInvalid] when the
// event has no JSON data.
func (s *Spool) Append(e schemas.Event) error {
	raw, err := encode(e)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes+int64(len(raw)) > s.cfg.Limit {
		return fmt.Errorf("spool event %s: %w (%d bytes)", e.ID, ErrFull, s.cfg.Limit)
	}
	if err := s.writable(int64(len(raw))); err != nil {
		return err
	}
	seg := &s.segs[len(s.segs)-1]
	if n, err := s.tail.Write(raw); err != nil {
		s.takeBack(seg, n)
		return fmt.Errorf("spool event %s: %w: %w", e.ID, ErrFull, err)
	}
	seg.size += int64(len(raw))
	s.bytes += int64(len(raw))
	s.len++
	s.dirty = true
	return nil
}

// takeBack removes the part of a line that a full disk let through. Where even
// that fails, the segment is given up for writing; its torn end is skipped.
func (s *Spool) takeBack(seg *segment, n int) {
	if n == 0 {
		return
	}
	if s.tail.Truncate(seg.size) == nil {
		return
	}
	seg.size += int64(n)
	s.bytes += int64(n)
	s.broken = true
}

// writable makes sure that a segment is open with room for n bytes.
func (s *Spool) writable(n int64) error {
	if s.tail != nil && (s.broken || s.segs[len(s.segs)-1].size+n > s.cfg.Segment) {
		err := errors.Join(s.tail.Sync(), s.tail.Close())
		s.tail, s.broken = nil, false
		if err != nil {
			return fmt.Errorf("spool: end a segment: %w: %w", ErrFull, err)
		}
	}
	if s.tail != nil {
		return nil
	}
	at := s.head.segment + 1
	if len(s.segs) > 0 {
		at = s.segs[len(s.segs)-1].n + 1
	}
	f, err := os.OpenFile(s.path(at), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("spool: begin a segment: %w: %w", ErrFull, err)
	}
	s.tail = f
	s.segs = append(s.segs, segment{n: at})
	return nil
}

// Sync brings what was written to the disk itself.
func (s *Spool) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lostDirty {
		s.saveLost()
	}
	if !s.dirty || s.tail == nil {
		return nil
	}
	if err := s.tail.Sync(); err != nil {
		return fmt.Errorf("spool: sync: %w", err)
	}
	s.dirty = false
	return nil
}

// Close syncs and lets go of the folder; what was not delivered stays in it.
func (s *Spool) Close() error {
	err := s.Sync()
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(err, s.closeFiles())
}

func (s *Spool) closeFiles() error {
	var errs []error
	if s.reader != nil {
		errs = append(errs, s.reader.f.Close())
		s.reader = nil
	}
	for _, f := range []*os.File{s.tail, s.cursor, s.lostFile, s.lock} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	s.tail, s.cursor, s.lostFile, s.lock = nil, nil, nil, nil
	return errors.Join(errs...)
}
