package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"firebreak/schemas"
	"firebreak/services/responder"
	"firebreak/services/responder/action/container/halt"
	"firebreak/services/responder/action/evidence/process"
	"firebreak/services/responder/action/evidence/rootfs"
	"firebreak/services/responder/action/evidence/socket"
	"firebreak/services/responder/action/evidence/text"
)

// Captured is the form of Effect.Data.
type Captured struct {
	Artefacts []schemas.Artefact `json:"artefacts"`
	Cut       []string           `json:"cut"` // what is missing in them
}

// Apply pauses, reads, stores, and lets run on. Done again, it gives what is
// there then: the same content takes no more room.
func (c *Capture) Apply(ctx context.Context, p schemas.Plan) (e schemas.Effect, err error) {
	e = schemas.Effect{Version: version, Plan: p}
	s, err := stateOf(p)
	if err != nil {
		return e, err
	}
	limit, err := limitOf(p.With)
	if err != nil {
		return e, err
	}
	if !c.there(s) {
		return e, fmt.Errorf("%s: %s: %w: it has ended", Name, s.label(), responder.ErrGone)
	}
	t := &take{Capture: c, state: s, limit: limit, until: softly(ctx)}
	// Deferred, so that a panic leaves nothing paused either.
	defer func() {
		drift, failed := c.letGo(ctx, s)
		if err = errors.Join(err, failed); err != nil {
			return
		}
		if drift != "" {
			t.cuts.Add("%s", drift)
		}
		e.Data, err = json.Marshal(Captured{Artefacts: t.artefacts, Cut: t.list()})
	}()
	if t.note, err = c.hold(ctx, s); err != nil {
		return e, err
	}
	if t.note != "" {
		t.cuts.Add("%s", t.note)
	}
	return e, t.all(ctx)
}

// softly is when no more is begun, so that what was begun can be stored.
func softly(ctx context.Context) time.Time {
	end, ok := ctx.Deadline()
	if !ok {
		return time.Time{}
	}
	return time.Now().Add(time.Until(end) / 2)
}

// take is the capture of one container.
type take struct {
	*Capture
	state

	limit     int64
	until     time.Time
	note      string // goes with every artefact
	cuts      text.Cuts
	artefacts []schemas.Artefact
}

func (t *take) list() []string {
	if l := t.cuts.List(); l != nil {
		return l
	}
	return []string{}
}

// all captures in the order in which things vanish.
func (t *take) all(ctx context.Context) error {
	procs, err := t.processes(ctx)
	if err != nil {
		return err
	}
	socks, err := socket.Read(ctx, procs.Processes)
	if err != nil {
		return t.failed(ctx, err)
	}
	if err := t.document(ctx, "processes.json", procs, procs.Cut); err != nil {
		return err
	}
	if err := t.document(ctx, "sockets.json", socks, socks.Cut); err != nil {
		return err
	}
	return t.files(ctx, procs.Processes)
}

func (t *take) processes(ctx context.Context) (process.List, error) {
	pids, err := t.procs(t.state)
	if err != nil {
		return process.List{}, kernelError(t.ID, err)
	}
	own := slices.DeleteFunc(t.cgroups(t.state), halt.Cgroup.Zero)
	if len(own) == 0 {
		t.cuts.Add("it has no cgroup of its own: only its first process is read")
	}
	procs, err := process.Read(ctx, pids, func(pid int) bool {
		return len(own) == 0 && pid == t.PID || slices.ContainsFunc(own, func(g halt.Cgroup) bool {
			in, err := g.Holds(pid)
			return in && err == nil
		})
	})
	if err != nil {
		return procs, t.failed(ctx, err)
	}
	if len(procs.Processes) == 0 {
		return procs, fmt.Errorf("%s: %s: %w: its processes have ended", Name, t.label(), responder.ErrGone)
	}
	return procs, nil
}

// files stores what differs from the image, and programs without a file.
func (t *take) files(ctx context.Context, procs []process.Process) error {
	upper, unknown := t.upper()
	device := ""
	if upper != nil {
		device = upper.Device
		defer upper.Close() //nolint:errcheck // read only
	}
	limits := rootfs.Limits{Total: t.limit, File: fileMost, Hash: 1024 * mib, Until: t.until}
	var diff rootfs.Diff
	archive, err := t.store(ctx, "rootfs-diff.tar", func(w io.Writer) (err error) {
		diff, err = rootfs.Copy(ctx, upper, programs(procs, device), limits, w)
		return err
	})
	if err != nil {
		return err
	}
	if unknown != nil {
		diff.Unknown = unknown.Error()
		diff.Cut = append(diff.Cut, diff.Unknown)
	}
	if err := t.document(ctx, "rootfs-diff.json", diff, diff.Cut); err != nil {
		return err
	}
	if n := len(diff.Cut); n > 0 {
		archive.Note = join(archive.Note, "not all is in it: rootfs-diff.json says of each file whether it was left out, and why")
	}
	t.artefacts = append(t.artefacts, archive)
	return nil
}

// upper finds the folder of what differs, through the container's shim: its
// first process's parent, which is outside of the container.
func (t *take) upper() (*rootfs.Upper, error) {
	stat, err := halt.ReadStat(t.PID)
	if err != nil {
		return nil, fmt.Errorf("%w: its first process has ended", rootfs.ErrUnknown)
	}
	for _, g := range t.cgroups(t.state) {
		if in, err := g.Holds(stat.PPID); in || err != nil {
			return nil, fmt.Errorf("%w: process %d, which started it, is not the runtime's", rootfs.ErrUnknown, stat.PPID)
		}
	}
	return rootfs.Find(rootfs.Container{ID: t.ID, Namespace: t.Namespace, PID: t.PID, Runtime: stat.PPID}) //nolint:wrapcheck // says all
}

// programs are those that run and have no file any more, each once.
func programs(procs []process.Process, root string) []rootfs.Program {
	var out []rootfs.Program
	seen := map[string]bool{}
	for _, p := range procs {
		if !p.Deleted {
			continue
		}
		key := string(p.Exe)
		for _, m := range p.Mapped {
			if m.Path == p.Exe {
				key += " " + m.Device + " " + strconv.FormatUint(m.Inode, 10)
				break
			}
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		out = append(out, rootfs.Program{PID: p.PID, Start: p.Start, Path: p.Exe, Open: opener(p, root)})
	}
	return out
}

func opener(p process.Process, root string) func() (*os.File, error) {
	return func() (*os.File, error) { return process.Program(p, root) }
}

func (t *take) document(ctx context.Context, name string, v any, cut []string) error {
	for _, c := range cut {
		t.cuts.Add("%s: %s", name, c)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s: %s: %w: %w", Name, name, responder.ErrPermanent, err)
	}
	a := schemas.Artefact{Name: name, Note: t.note}
	if len(cut) > 0 {
		a.Note = join(a.Note, "bounds have cut it: see its own word on that")
	}
	if a.Digest, a.Size, err = t.blobs.PutBlob(ctx, bytes.NewReader(b)); err != nil {
		return t.notStored(ctx, name, err)
	}
	t.artefacts = append(t.artefacts, a)
	return nil
}

// store stores what write writes, without holding it in memory.
func (t *take) store(ctx context.Context, name string, write func(io.Writer) error) (schemas.Artefact, error) {
	a := schemas.Artefact{Name: name, Note: t.note}
	from, to := io.Pipe()
	var wg sync.WaitGroup
	var putErr error
	wg.Go(func() {
		a.Digest, a.Size, putErr = t.blobs.PutBlob(ctx, from)
		from.CloseWithError(errNotTaken) // wakes a writer that nobody reads from any more
	})
	done := false
	// Deferred, so that a panic in write leaves nobody waiting for its end.
	defer func() {
		if !done {
			to.CloseWithError(errNotTaken)
			wg.Wait()
		}
	}()
	err := write(to)
	to.CloseWithError(err) // nil is the end
	done = true
	wg.Wait()
	switch {
	case err != nil && !errors.Is(err, errNotTaken):
		return a, t.failed(ctx, err)
	case putErr != nil:
		return a, t.notStored(ctx, name, putErr)
	case err != nil:
		return a, t.failed(ctx, err)
	}
	return a, nil
}

var errNotTaken = errors.New("it is not taken any more")

// failed gives an error of reading its class.
func (t *take) failed(ctx context.Context, err error) error {
	return fmt.Errorf("%s: %s: %w: %w", Name, t.label(), responder.ErrTransient, errors.Join(err, ctx.Err()))
}

// notStored: room comes back when somebody makes it, so trying again can help.
func (t *take) notStored(ctx context.Context, name string, err error) error {
	class := responder.ErrTransient
	if errors.Is(err, schemas.ErrInvalid) {
		class = responder.ErrPermanent
	}
	err = fmt.Errorf("%s: %s: %s could not be stored: %w: %w", Name, t.label(), name, class, errors.Join(err, ctx.Err()))
	return responder.WithRemedy(err, "look whether the bus answers and has room for evidence; a smaller maxBytes of the step needs less")
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
