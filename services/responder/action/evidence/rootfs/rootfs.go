package rootfs

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"firebreak/services/responder/action/evidence/text"
)

// Entry is one name in the upper folder.
type Entry struct {
	Path    text.Text `json:"path"`
	Kind    string    `json:"kind"` // file dir symlink fifo socket char block whiteout
	Size    int64     `json:"size"`
	Mode    string    `json:"mode"` // octal, as the kernel has it
	UID     uint32    `json:"uid"`
	GID     uint32    `json:"gid"`
	Mtime   time.Time `json:"mtime"`
	Links   uint64    `json:"links,omitempty"`
	Target  text.Text `json:"target,omitempty"` // of a symlink
	Opaque  bool      `json:"opaque,omitempty"` // a folder that hides all that the image has there
	Sha256  string    `json:"sha256,omitempty"`
	Kept    string    `json:"kept,omitempty"` // its name in the archive
	LeftOut string    `json:"left_out,omitempty"`
}

// Program is a program that runs and has no file any more.
type Program struct {
	PID     int       `json:"pid"`
	Start   uint64    `json:"start_ticks"`
	Path    text.Text `json:"path"`
	Size    int64     `json:"size"`
	Sha256  string    `json:"sha256,omitempty"`
	Kept    string    `json:"kept,omitempty"`
	LeftOut string    `json:"left_out,omitempty"`

	Open func() (*os.File, error) `json:"-"`
}

// Diff is what differs from the image.
type Diff struct {
	Upper    text.Text `json:"upper,omitempty"`
	Unknown  string    `json:"unknown,omitempty"` // why it cannot be told
	Entries  []Entry   `json:"entries"`
	Programs []Program `json:"programs,omitempty"`
	Cut      []string  `json:"cut,omitempty"`
}

// Limits of an archive. What is beyond them is told in LeftOut and Cut.
type Limits struct {
	Total int64     // bytes of all files
	File  int64     // bytes of one file
	Hash  int64     // bytes of files that are left out and only hashed
	Until time.Time // no file is begun after that; zero: no such time
}

// Bounds of the list.
const (
	maxEntries = 100_000
	maxNames   = 16 << 20 // bytes of all paths
	maxDepth   = 128      // folders below each other, each with a descriptor
)

// copier writes an archive while it lists.
type copier struct {
	ctx    context.Context //nolint:containedctx // it lives no longer than one call of Copy
	out    *tar.Writer
	limits Limits
	left   int64 // of Limits.Total
	hash   int64 // of Limits.Hash
	names  int
	dev    uint64
	marks  string // as Upper has it
	diff   Diff
	cuts   text.Cuts
}

// Copy lists the upper folder, which may be nil, and writes its files and the
// programs into an archive. Programs come first: they are there only now.
func Copy(ctx context.Context, u *Upper, programs []Program, l Limits, w io.Writer) (Diff, error) {
	c := &copier{ctx: ctx, out: tar.NewWriter(w), limits: l, left: l.Total, hash: l.Hash}
	c.diff.Entries = []Entry{}
	for _, p := range programs {
		if err := c.program(p); err != nil {
			return c.diff, err
		}
	}
	if u != nil {
		c.diff.Upper = text.Text(u.Path)
		if err := c.upper(u); err != nil {
			return c.diff, err
		}
	}
	if err := c.out.Close(); err != nil {
		return c.diff, fmt.Errorf("archive: %w", err)
	}
	c.diff.Cut = c.cuts.List()
	return c.diff, nil
}

func (c *copier) program(p Program) error {
	f, err := p.Open()
	if err != nil {
		p.LeftOut = err.Error()
		c.cuts.Add("program of process %d, %s: %s", p.PID, p.Path.Short(), p.LeftOut)
		c.diff.Programs = append(c.diff.Programs, p)
		return nil
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		p.LeftOut = "it is no regular file any more"
		c.cuts.Add("program of process %d, %s: %s", p.PID, p.Path.Short(), p.LeftOut)
		c.diff.Programs = append(c.diff.Programs, p)
		return nil
	}
	p.Size = info.Size()
	k, err := c.keep(f, fmt.Sprintf("programs/%d-%d", p.PID, p.Start), info.Size(), info.ModTime())
	if err != nil {
		return err
	}
	if p.Kept, p.Sha256, p.LeftOut = k.name, k.sha256, k.leftOut; p.LeftOut != "" {
		c.cuts.Add("program of process %d, %s: %s", p.PID, p.Path.Short(), p.LeftOut)
	}
	c.diff.Programs = append(c.diff.Programs, p)
	return nil
}
