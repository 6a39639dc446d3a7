package spool

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"firebreak/schemas"
)

// reader reads the oldest segment on from the cursor.
type reader struct {
	f   *os.File
	r   *bufio.Reader
	raw []byte // the line that Next gave and Done has not yet ended
}

// Next gives the oldest event that was not delivered, the same one until Done;
// false when none waits. A damaged line is skipped and counted as lost.
func (s *Spool) Next() (schemas.Event, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.len > 0 {
		raw, err := s.line()
		if err != nil {
			return schemas.Event{}, false, err
		}
		e, err := decode(raw)
		if err == nil {
			return e, true, nil
		}
		s.lose("", "a spooled event was damaged on disk")
		if err := s.done(); err != nil {
			return schemas.Event{}, false, err
		}
	}
	return schemas.Event{}, false, nil
}

// Done notes that the event of the last Next was delivered. After an error it
// is noted in memory alone: a crash would deliver it again.
func (s *Spool) Done() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done()
}

func (s *Spool) done() error {
	if s.reader == nil || s.reader.raw == nil {
		return nil
	}
	s.head.offset += int64(len(s.reader.raw))
	s.reader.raw = nil
	s.len--
	if s.len == 0 {
		return s.empty()
	}
	return writeCursor(s.cursor, s.head)
}

// line gives the line at the cursor, going on to newer segments as needed.
func (s *Spool) line() ([]byte, error) {
	for {
		if err := s.openHead(); err != nil {
			return nil, err
		}
		if s.reader.raw != nil {
			return s.reader.raw, nil
		}
		raw, err := s.reader.r.ReadBytes('\n')
		if err == nil {
			s.reader.raw = raw
			return raw, nil
		}
		if !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("spool: read %s: %w", s.reader.f.Name(), err)
		}
		// A torn line at the end of a segment is no event. Behind the newest
		// segment nothing can wait, unless someone cut the file under us.
		if len(s.segs) == 1 {
			s.lose("", "spooled events were gone from the disk")
			s.len = 0
			return nil, errors.Join(
				fmt.Errorf("spool: %w: %s is shorter than what was written", schemas.ErrInvalid, s.reader.f.Name()), s.empty())
		}
		s.head = position{segment: s.segs[1].n}
		if err := errors.Join(writeCursor(s.cursor, s.head), s.removeHead()); err != nil {
			return nil, err
		}
	}
}

func (s *Spool) openHead() error {
	if s.reader != nil {
		return nil
	}
	f, err := os.Open(s.path(s.segs[0].n))
	if err != nil {
		return fmt.Errorf("spool: open a segment: %w", err)
	}
	if s.head.segment != s.segs[0].n {
		s.head = position{segment: s.segs[0].n}
	}
	if _, err := f.Seek(s.head.offset, io.SeekStart); err != nil {
		return errors.Join(fmt.Errorf("spool: seek in a segment: %w", err), f.Close())
	}
	s.reader = &reader{f: f, r: bufio.NewReaderSize(f, 64<<10)}
	return nil
}

// empty removes what was delivered when nothing waits any more. The cursor
// moves first: a segment before it is removed by the next Open.
func (s *Spool) empty() error {
	var errs []error
	if len(s.segs) > 0 {
		s.head = position{segment: s.segs[len(s.segs)-1].n + 1}
		errs = append(errs, writeCursor(s.cursor, s.head))
	}
	if s.tail != nil {
		errs = append(errs, s.tail.Close())
		s.tail, s.dirty, s.broken = nil, false, false
	}
	for len(s.segs) > 0 {
		errs = append(errs, s.removeHead())
	}
	return errors.Join(errs...)
}

// removeHead forgets the oldest segment and deletes its file.
func (s *Spool) removeHead() error {
	seg := s.segs[0]
	s.segs = s.segs[1:]
	s.bytes = max(0, s.bytes-seg.size)
	var errs []error
	if s.reader != nil {
		errs = append(errs, s.reader.f.Close())
		s.reader = nil
	}
	errs = append(errs, os.Remove(s.path(seg.n)))
	return errors.Join(errs...)
}

// lineStart says whether a line begins at the offset.
func lineStart(f io.ReaderAt, offset int64) bool {
	if offset == 0 {
		return true
	}
	var b [1]byte
	n, err := f.ReadAt(b[:], offset-1)
	return n == 1 && (err == nil || errors.Is(err, io.EOF)) && b[0] == '\n'
}
