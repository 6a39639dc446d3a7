package rootfs

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"time"
)

// kept is what became of a file.
type kept struct{ name, sha256, leftOut string }

// keep writes a file into the archive, or says why not and then only hashes it.
// An error means that the archive itself cannot go on.
func (c *copier) keep(f *os.File, name string, size int64, mtime time.Time) (kept, error) {
	if err := c.ctx.Err(); err != nil {
		return kept{}, fmt.Errorf("archive: %w", err)
	}
	sum := sha256.New()
	switch {
	case c.late():
		return kept{leftOut: "the time for capturing had run out"}, nil
	case size > c.limits.File:
		return c.only(f, sum, size, fmt.Sprintf("%d bytes are more than the %d of one file", size, c.limits.File))
	case size > c.left:
		return c.only(f, sum, size, fmt.Sprintf("%d bytes are more than what was left of the %d of all files", size, c.limits.Total))
	}
	// Nothing in the archive can be run by accident: true modes are in the list.
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o400, ModTime: mtime, Format: tar.FormatPAX}
	if err := c.out.WriteHeader(h); err != nil {
		return kept{}, fmt.Errorf("archive: %w", err)
	}
	c.left -= size
	n, err := io.Copy(io.MultiWriter(c.out, sum), &reading{c.ctx, io.LimitReader(f, size)})
	k := kept{name: name, sha256: hex.EncodeToString(sum.Sum(nil))}
	if n < size {
		// The size is promised by now: what is missing must be filled up.
		if ctxErr := c.ctx.Err(); ctxErr != nil {
			return k, fmt.Errorf("archive: %w", ctxErr)
		}
		if e := c.fill(size - n); e != nil {
			return k, e
		}
		k.leftOut = fmt.Sprintf("only its first %d bytes could be read, zeros follow", n)
		if err != nil {
			k.leftOut += ": " + err.Error()
		}
		return k, nil
	}
	if err != nil {
		return k, fmt.Errorf("archive: %w", err)
	}
	return k, nil
}

func (c *copier) fill(n int64) error {
	zeros := make([]byte, 32<<10)
	for n > 0 {
		part := min(n, int64(len(zeros)))
		if _, err := c.out.Write(zeros[:part]); err != nil {
			return fmt.Errorf("archive: %w", err)
		}
		n -= part
	}
	return nil
}

// only hashes a file, as long as there is room for that.
func (c *copier) only(f *os.File, sum hash.Hash, size int64, why string) (kept, error) {
	if size > c.hash {
		return kept{leftOut: why + "; not hashed"}, nil
	}
	c.hash -= size
	n, err := io.Copy(sum, &reading{c.ctx, io.LimitReader(f, size)})
	if c.ctx.Err() != nil {
		return kept{}, fmt.Errorf("hash: %w", c.ctx.Err())
	}
	if err != nil || n != size {
		return kept{leftOut: why + "; it could not be read as a whole"}, nil
	}
	return kept{sha256: hex.EncodeToString(sum.Sum(nil)), leftOut: why}, nil
}

func (c *copier) late() bool {
	return !c.limits.Until.IsZero() && time.Now().After(c.limits.Until)
}

// reading ends with its context. As a plain Reader it also keeps io.Copy from
// asking the kernel for more than one piece at a time.
type reading struct {
	ctx context.Context //nolint:containedctx // it lives no longer than one copy
	r   io.Reader
}

// Read reads the next piece.
func (r *reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err //nolint:wrapcheck // the caller asks the context itself
	}
	return r.r.Read(p) //nolint:wrapcheck // a Reader's own errors
}
