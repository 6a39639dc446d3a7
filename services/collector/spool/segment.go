package spool

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const suffix = ".ndjson"

func segmentName(n uint64) string { return fmt.Sprintf("%016d%s", n, suffix) }

// segment is one file of the spool.
type segment struct {
	n    uint64
	size int64
}

// segments lists the files in order.
func segments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("spool: read the folder: %w", err)
	}
	var all []segment
	for _, e := range entries {
		base, ours := strings.CutSuffix(e.Name(), suffix)
		n, err := strconv.ParseUint(base, 10, 64)
		if !ours || err != nil {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("spool: segment %s: %w", e.Name(), err)
		}
		all = append(all, segment{n: n, size: info.Size()})
	}
	slices.SortFunc(all, func(a, b segment) int { return cmp.Compare(a.n, b.n) })
	return all, nil
}

// whole measures a file up to the end of its last complete line, and counts
// the complete lines from offset from.
func whole(f io.ReaderAt, from int64) (end int64, lines int, err error) {
	buf := make([]byte, 64<<10)
	for at := int64(0); ; {
		n, err := f.ReadAt(buf, at)
		for i, rest := int64(0), buf[:n]; ; {
			j := bytes.IndexByte(rest, '\n')
			if j < 0 {
				break
			}
			i += int64(j) + 1
			rest = rest[j+1:]
			end = at + i
			if end > from {
				lines++
			}
		}
		at += int64(n)
		if errors.Is(err, io.EOF) {
			return end, lines, nil
		}
		if err != nil {
			return end, lines, err
		}
	}
}

// cutTorn shortens the newest segment to its last complete line: what a killed
// process was writing is no event yet.
func cutTorn(dir string, s *segment) (int64, error) {
	path := filepath.Join(dir, segmentName(s.n))
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // below the spool's own folder
	if err != nil {
		return 0, fmt.Errorf("spool: open %s: %w", path, err)
	}
	end, _, err := whole(f, 0)
	torn := s.size - end
	if err == nil && torn > 0 {
		err = f.Truncate(end)
		s.size = end
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, fmt.Errorf("spool: cut the torn end of %s: %w", path, err)
	}
	return torn, nil
}
