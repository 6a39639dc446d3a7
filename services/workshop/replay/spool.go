package replay

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"firebreak/schemas"
)

// mostSpool bounds what is kept of what cannot be read twice.
const mostSpool = 2 << 30

// spool keeps the text of a pipe, or of a file that is packed, so that events
// can be recalled. It has two files, of which the older gives way when the
// newer is full; neither has a name, so nothing stays behind whatever happens.
type spool struct {
	mu    sync.Mutex
	half  int64
	files [2]*os.File // the older, the newer
	from  [2]int64    // where each begins
	end   int64
}

func newSpool(most int64) (*spool, error) {
	s := &spool{half: most / 2}
	for i := range s.files {
		f, err := os.CreateTemp("", "firebreak-replay-*") // mode 0600
		if err != nil {
			return nil, errors.Join(fmt.Errorf("spool: %w", err), s.close())
		}
		s.files[i] = f
		if err := os.Remove(f.Name()); err != nil {
			return nil, errors.Join(fmt.Errorf("spool: %w", err), s.close())
		}
	}
	return s, nil
}

// write keeps a text and says where.
func (s *spool) write(text []byte) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end > s.from[1] && s.end-s.from[1]+int64(len(text)) > s.half {
		if err := s.files[0].Truncate(0); err != nil {
			return 0, fmt.Errorf("spool: %w", err)
		}
		s.files[0], s.files[1] = s.files[1], s.files[0]
		s.from[0], s.from[1] = s.from[1], s.end
	}
	off := s.end
	if _, err := s.files[1].WriteAt(text, off-s.from[1]); err != nil {
		return 0, fmt.Errorf("spool: what comes from a pipe or a packed file is kept in %s, for events that are recalled; TMPDIR names another folder: %w", os.TempDir(), err)
	}
	s.end += int64(len(text))
	return off, nil
}

// read gives what was written somewhere; it may have given way.
func (s *spool) read(text []byte, off int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	which := 1
	if off < s.from[1] {
		which = 0
	}
	if off < s.from[which] {
		return fmt.Errorf("spool: %w: it has given way to newer ones", schemas.ErrAbsent)
	}
	if _, err := s.files[which].ReadAt(text, off-s.from[which]); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

func (s *spool) close() error {
	var errs []error
	for _, f := range s.files {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
