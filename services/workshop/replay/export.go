package replay

import (
	"bufio"
	"fmt"
	"io"

	"firebreak/schemas"
	gateway "firebreak/services/collector/gateway/decode"
)

// Export writes events of the log as structured CloudEvents, one a line, with
// their places in the log: a replay of that file gives what one of the log does.
type Export struct {
	to   *bufio.Writer
	line []byte
	n    uint64
}

// NewExport gives one that writes to a file. Flush it in the end.
func NewExport(to io.Writer) *Export {
	return &Export{to: bufio.NewWriterSize(to, chunkSize)}
}

// Write writes an event.
func (x *Export) Write(e schemas.Event) error {
	line, err := gateway.AppendRecorded(x.line[:0], e)
	if err != nil {
		return err
	}
	x.line = append(line, '\n')
	if _, err := x.to.Write(x.line); err != nil {
		return fmt.Errorf("export event %d: %w", e.Seq, err)
	}
	x.n++
	return nil
}

// Flush writes what is not written yet, and says how many events there were.
func (x *Export) Flush() (uint64, error) {
	if err := x.to.Flush(); err != nil {
		return x.n, fmt.Errorf("export: %w", err)
	}
	return x.n, nil
}
