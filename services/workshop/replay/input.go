package replay

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// input is one file that is read.
type input struct {
	name    string
	file    *os.File // nil for a reader that is no file
	from    io.Reader
	regular bool // it can be read again where it lies
	unpack  *gzip.Reader
	packed  bool
}

// open opens all files before one of them is read: a name that is wrong is to
// be told at once.
func (f *Files) open(ctx context.Context) error {
	again := true
	for _, name := range f.Names {
		in, size, err := f.openOne(ctx, name)
		if err != nil {
			return err
		}
		f.opened = append(f.opened, in)
		again = again && in.regular
		if f.total += size; size < 0 || f.total < 0 {
			f.total = -1
		}
	}
	f.total = max(f.total, 0)
	if f.Recall && !again {
		s, err := newSpool(mostSpool)
		f.spool = s
		return err
	}
	return nil
}

// openOne gives a file and its size; -1 when nobody can tell.
func (f *Files) openOne(ctx context.Context, name string) (*input, int64, error) {
	in := &input{name: name, packed: strings.HasSuffix(name, ".gz")}
	from := f.Stdin
	size := int64(-1)
	if name != "-" {
		file, err := os.Open(name) //nolint:gosec // the name is the person's own
		if err != nil {
			return nil, 0, err
		}
		in.file, from = file, file
	} else if file, is := f.Stdin.(*os.File); is {
		from = &patient{ctx, file} // not ours to close
	}
	if in.file != nil {
		info, err := in.file.Stat()
		switch {
		case err != nil:
			return nil, 0, errors.Join(err, in.file.Close())
		case info.IsDir():
			return nil, 0, errors.Join(fmt.Errorf("%s is a folder: name the files in it", name), in.file.Close())
		case info.Mode().IsRegular():
			size, in.regular = info.Size(), !in.packed
		default:
			from = &patient{ctx, in.file}
		}
	}
	in.from = &counted{from, &f.done}
	return in, size, nil
}

// Read gives the text of the file, unpacked.
func (in *input) Read(b []byte) (int, error) {
	if !in.packed {
		return in.from.Read(b)
	}
	if in.unpack == nil {
		unpack, err := gzip.NewReader(bufio.NewReaderSize(in.from, chunkSize))
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // an empty file is no packed one
		}
		if err != nil {
			return 0, err
		}
		in.unpack = unpack
	}
	return in.unpack.Read(b)
}

// Close closes what was opened.
func (f *Files) Close() error {
	var errs []error
	for _, in := range f.opened {
		if in.file != nil {
			errs = append(errs, in.file.Close())
		}
	}
	if f.spool != nil {
		errs = append(errs, f.spool.close())
	}
	return errors.Join(errs...)
}

// counted counts what was read.
type counted struct {
	from io.Reader
	done *atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.done.Add(int64(n))
	return n, err
}

// patient reads a pipe or a terminal, and stops to wait when ctx ends: a read
// that has begun could not be broken off.
type patient struct {
	ctx  context.Context // io.Reader has no room for one
	file *os.File
}

func (p *patient) Read(b []byte) (int, error) {
	const wait = 100                                                    // milliseconds
	fds := []unix.PollFd{{Fd: int32(p.file.Fd()), Events: unix.POLLIN}} //nolint:gosec // a descriptor
	for {
		if err := p.ctx.Err(); err != nil {
			return 0, err
		}
		n, err := unix.Poll(fds, wait)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return 0, fmt.Errorf("wait for %s: %w", p.file.Name(), err)
		}
		if n > 0 {
			return p.file.Read(b)
		}
	}
}
