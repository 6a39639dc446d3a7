package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// position is where the next event to deliver begins.
type position struct {
	segment uint64
	offset  int64
}

// cursorFormat has a fixed width: the cursor is written over in place by one
// write, which a killed process has made either whole or not at all.
const cursorFormat = "%016d %016d\n"

func readCursor(path string) (position, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // a path of our own making
	if errors.Is(err, fs.ErrNotExist) {
		return position{}, nil
	}
	if err != nil {
		return position{}, fmt.Errorf("spool: read the cursor: %w", err)
	}
	var p position
	if n, err := fmt.Sscanf(string(raw), cursorFormat, &p.segment, &p.offset); n != 2 || err != nil {
		// Torn by a power cut: delivering again is harmless, skipping is not.
		return position{}, nil
	}
	return p, nil
}

func writeCursor(f *os.File, p position) error {
	if _, err := f.WriteAt(fmt.Appendf(nil, cursorFormat, p.segment, p.offset), 0); err != nil {
		return fmt.Errorf("spool: write the cursor: %w", err)
	}
	return nil
}
