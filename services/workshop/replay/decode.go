package replay

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"firebreak/schemas"
	gateway "firebreak/services/collector/gateway/decode"
	"firebreak/services/workshop/format"
)

// batch is what a chunk holds.
type batch struct {
	chunk
	events []placed
	bad    []Bad
	more   int // bad lines beyond those
	lines  int // that hold something
}

// placed is an event with the line that it stands on, counted in all files
// together. A mark of the log says more, and is then in the event.
type placed struct {
	schemas.Event
	line uint64
	mute bool // the engine is not shown it
}

// Bad is a line of which no event could be made.
type Bad struct {
	File string
	Line uint64
	Err  error
	Like string // the format that it seems to be of, if that is another one
}

func (b Bad) Error() string {
	text := fmt.Sprintf("%s:%d: %v", b.File, b.Line, b.Err)
	if b.Like != "" {
		text += fmt.Sprintf(" (it looks like %s: --as %s)", b.Like, b.Like)
	}
	return text
}

// Unwrap gives what was wrong.
func (b Bad) Unwrap() error { return b.Err }

// mostBad bounds what is told of one chunk.
const mostBad = 10

// decode makes events of a chunk. It may run beside others.
func (f *Files) decode(c chunk) batch {
	b := batch{chunk: c}
	switch {
	case c.long:
		b.lines++
		f.complain(&b, 0, nil, fmt.Errorf("%w: the line is longer than %d MiB", schemas.ErrInvalid, mostLine>>20))
	case c.whole:
		b.lines++
		f.line(&b, 0, bytes.TrimSpace(c.text))
	default:
		f.each(&b)
	}
	if err := c.end; err != nil && !errors.Is(err, io.EOF) {
		lines := bytes.Count(c.text, []byte{'\n'})
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the file is cut off here: what came before it was replayed")
		}
		f.complain(&b, uint64(lines), nil, err) //nolint:gosec // a count
	}
	return b
}

func (f *Files) each(b *batch) {
	text := b.text
	b.events = make([]placed, 0, len(text)/512)
	for n := uint64(0); len(text) > 0; n++ {
		line, rest := text, []byte(nil)
		if end := bytes.IndexByte(text, '\n'); end >= 0 {
			line, rest = text[:end], text[end+1:]
		}
		text = rest
		if line = bytes.TrimSpace(line); len(line) > 0 {
			b.lines++
			f.line(b, n, line)
		}
	}
}

// line takes one line, the n-th of its chunk.
func (f *Files) line(b *batch, n uint64, line []byte) {
	if f.As == format.CloudEvents && line[0] != '[' { // by far the most
		e, err := gateway.Recorded(line)
		if err != nil {
			f.complain(b, n, line, err)
			return
		}
		b.events = append(b.events, placed{Event: e, line: b.all + n})
		return
	}
	var events []schemas.Event
	var err error
	if f.As == format.CloudEvents {
		events, err = gateway.RecordedBatch(line)
	} else {
		events, err = format.Decode(f.As, line, format.Options{Source: "/replay/" + f.As})
	}
	for _, e := range events {
		b.events = append(b.events, placed{Event: e, line: b.all + n})
	}
	if err != nil {
		f.complain(b, n, line, err)
	}
}

// complain notes a line of which not all could be taken.
func (f *Files) complain(b *batch, n uint64, line []byte, err error) {
	if len(b.bad) == mostBad {
		b.more++
		return
	}
	bad := Bad{File: f.Names[b.file], Line: b.line + n, Err: err}
	if like := gateway.Sniff(line); like != f.As {
		bad.Like = like
	}
	b.bad = append(b.bad, bad)
}
