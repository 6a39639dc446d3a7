package replay

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"firebreak/schemas"
)

// Files are recorded events, one or more on each line. Set what is exported,
// then read them once with [Files.Each], and [Files.Close] them in any case.
type Files struct {
	Names  []string  // of files; "-" is Stdin, and what ends in .gz is unpacked
	Stdin  io.Reader // for "-"
	As     string    // format, as package format names it
	Strict bool      // the first bad line ends it
	Bad    func(Bad) // told of bad lines, the first few of each piece that is read
	Recall bool      // events may be recalled: what cannot be read twice is kept in a spool

	opened []*input
	spool  *spool
	done   atomic.Int64 // bytes of the files that were read
	total  int64        // 0: not known

	now   place
	index []extent
	fresh []piece // those that were handed on last
	again piece   // one that was read again

	counts Counts
}

// Counts are those of what was read.
type Counts struct {
	Lines uint64 // that hold something
	Bad   uint64 // of which not all could be taken
	Bytes int64  // of the files as they lie there
}

// Counts of what was read so far.
func (f *Files) Counts() Counts {
	c := f.counts
	c.Bytes = f.done.Load()
	return c
}

// Total is how many bytes there are to be read; 0 when nobody can tell.
func (f *Files) Total() int64 { return f.total }

// job is a chunk on its way through the decoders, in whose order it leaves.
type job struct {
	chunk
	done chan batch
}

// Each opens the files and hands on every event in the order of the files and lines, with its
// sequence and the time at which a log would have stored it. It reads and
// decodes ahead beside the caller.
func (f *Files) Each(ctx context.Context, handle func(schemas.Event) error) error {
	workers := runtime.GOMAXPROCS(0)
	g, ctx := errgroup.WithContext(ctx)
	if err := f.open(ctx); err != nil {
		return err
	}
	work, order := make(chan job), make(chan job, 2*workers)
	g.Go(func() error {
		defer close(work)
		defer close(order)
		return f.read(func(c chunk) error {
			j := job{c, make(chan batch, 1)}
			for _, to := range []chan job{order, work} {
				select {
				case to <- j:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	})
	for range workers {
		g.Go(func() error {
			for j := range work {
				j.done <- f.decode(j.chunk)
			}
			return nil
		})
	}
	g.Go(func() error {
		for j := range order {
			select {
			case b := <-j.done:
				if err := f.hand(ctx, b, handle); err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	return g.Wait()
}

// read cuts all files into chunks.
func (f *Files) read(hand func(chunk) error) error {
	all := uint64(1)
	for n, in := range f.opened {
		c := chunker{from: in, file: n, line: 1, all: all, eager: !in.regular && !in.packed}
		for {
			next := c.next()
			if f.spool != nil && !in.regular && len(next.text) > 0 {
				off, err := f.spool.write(next.text)
				if err != nil {
					return err
				}
				next.off = off
			}
			if err := hand(next); err != nil {
				return err
			}
			if next.end != nil {
				break
			}
		}
		all = c.all
	}
	return nil
}

// hand gives the events of a batch their places and hands them on.
func (f *Files) hand(ctx context.Context, b batch, handle func(schemas.Event) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.counts.Lines += uint64(b.lines)                   //nolint:gosec // a count
	f.counts.Bad += uint64(len(b.bad)) + uint64(b.more) //nolint:gosec // as above
	for _, bad := range b.bad {
		if bad.Like != "" && f.now.last == 0 && len(b.events) == 0 && f.counts.Bad == f.counts.Lines {
			return &FormatError{Bad: bad, As: f.As}
		}
		if f.Strict {
			return bad
		}
		f.Bad(bad)
	}
	from := f.now
	number(&b, &f.now)
	f.keep(b, from)
	for i := range b.events {
		if b.events[i].mute {
			continue
		}
		if err := handle(b.events[i].Event); err != nil {
			return err
		}
	}
	return nil
}

// FormatError says that the events are of another format.
type FormatError struct {
	Bad
	As string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s:%d is no event of %s but looks like one of %s: use --as %s (%v)", e.File, e.Line, e.As, e.Like, e.Like, e.Err)
}
