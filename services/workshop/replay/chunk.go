package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

const (
	// chunkSize is how much is read, decoded and handed on at once. It is also
	// what is read again when the engine recalls an event.
	chunkSize = 256 << 10
	// mostLine bounds one line: the largest event there is, with room for the
	// list that an audit webhook sends.
	mostLine = 8 << 20
	// mostText bounds a file that is one JSON text over many lines, such as a
	// scanner's report.
	mostText = 64 << 20
)

// chunk is some whole lines of one file.
type chunk struct {
	file  int
	line  uint64 // of the first one, in the file
	all   uint64 // of the first one, in all files together
	off   int64  // where it begins in the file
	text  []byte
	whole bool // it is one JSON text over many lines
	long  bool // its one line is too long to be looked at
	end   error
}

// chunker cuts a file into chunks.
type chunker struct {
	from  io.Reader
	file  int
	line  uint64
	all   uint64
	off   int64
	carry []byte // the beginning of a line whose end was not read yet
	begun bool
	done  error
	eager bool // what has come is handed on at once: more may be long in coming
}

// next gives the next chunk. io.EOF, or what went wrong, comes with the last
// one, which may be empty.
func (c *chunker) next() chunk {
	if !c.begun {
		c.begun = true
		if first, whole := c.first(); whole {
			return first
		}
	}
	if c.done != nil {
		return c.cut(nil, c.done)
	}
	buf := make([]byte, max(chunkSize, 2*len(c.carry)))
	n := copy(buf, c.carry)
	for {
		var err error
		if n, err = c.fill(buf, n); err != nil {
			c.done, c.carry = err, nil
			return c.cut(buf[:n], err)
		}
		if end := bytes.LastIndexByte(buf[:n], '\n'); end >= 0 {
			c.carry = append(c.carry[:0], buf[end+1:n]...)
			return c.cut(buf[:end+1], nil)
		}
		switch {
		case n < len(buf):
		case n > mostLine:
			return c.skip(int64(n))
		default:
			buf = append(buf, make([]byte, n)...)
		}
	}
}

// fill reads until a buffer of which n bytes are used is full, or nothing more
// comes. (io.ReadFull would not tell a file that ends from one that is cut off.)
func (c *chunker) fill(buf []byte, n int) (int, error) {
	for idle := 0; n < len(buf); {
		more, err := c.from.Read(buf[n:])
		n += more
		if err != nil || c.eager && more > 0 {
			return n, err
		}
		if idle++; more > 0 {
			idle = 0
		}
		if idle > 100 {
			return n, io.ErrNoProgress
		}
	}
	return n, nil
}

// cut makes a chunk of the text that comes next.
func (c *chunker) cut(text []byte, err error) chunk {
	out := chunk{file: c.file, line: c.line, all: c.all, off: c.off, text: text, end: err}
	n := uint64(bytes.Count(text, []byte{'\n'})) //nolint:gosec // a count
	if len(text) > 0 && text[len(text)-1] != '\n' {
		n++
	}
	c.line, c.all, c.off = c.line+n, c.all+n, c.off+int64(len(text))
	return out
}

// skip passes over a line of which so much was read, and which is too long to
// be looked at.
func (c *chunker) skip(size int64) chunk {
	out := chunk{file: c.file, line: c.line, all: c.all, off: c.off, long: true}
	buf := make([]byte, chunkSize)
	for {
		n, err := c.from.Read(buf)
		if end := bytes.IndexByte(buf[:n], '\n'); end >= 0 {
			size += int64(end) + 1
			c.carry = append(c.carry[:0], buf[end+1:n]...)
			break
		}
		size += int64(n)
		if err != nil {
			c.carry, c.done, out.end = nil, err, err
			break
		}
	}
	c.line, c.all, c.off = c.line+1, c.all+1, c.off+size
	return out
}

// byteOrderMark is what some editors put before a text.
var byteOrderMark = []byte("\xef\xbb\xbf")

// first looks at how the file begins: past a byte order mark, and whether it is
// one JSON text over many lines instead of one on each.
func (c *chunker) first() (chunk, bool) {
	text := make([]byte, chunkSize)
	n, err := c.fill(text, 0)
	text = text[:n]
	if bytes.HasPrefix(text, byteOrderMark) {
		text = text[len(byteOrderMark):]
		c.off = int64(len(byteOrderMark))
	}
	many := opens(text)
	if many && err == nil {
		n = len(text)
		text = append(text, make([]byte, mostText-n)...)
		for err == nil && n < len(text) {
			n, err = c.fill(text, n)
		}
		text = text[:n]
	}
	if many && errors.Is(err, io.EOF) && json.Valid(text) {
		c.done = io.EOF
		out := c.cut(text, nil)
		out.whole = true
		return out, true
	}
	rest := c.from
	if err != nil {
		rest = ended{err}
	}
	c.from = io.MultiReader(bytes.NewReader(text), rest)
	return chunk{}, false
}

// ended is a reader of which nothing more comes.
type ended struct{ err error }

func (e ended) Read([]byte) (int, error) { return 0, e.err }

// opens says that the first line begins a JSON text and does not end it.
func opens(head []byte) bool {
	line := bytes.TrimLeft(head, " \t\r\n")
	if len(line) == 0 || line[0] != '{' && line[0] != '[' {
		return false
	}
	end := bytes.IndexByte(line, '\n')
	return end >= 0 && !json.Valid(line[:end])
}
