package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/workshop/compare"
	"firebreak/services/workshop/replay"
)

// replayer is one replay, or two over the same events.
type replayer struct {
	*shell // with an output that is written in large pieces
	ask    *replayAsk
	set    *playbook.Set
	other  *playbook.Set // of --against
	runs   []*replay.Run
	diff   *compare.Comparison
	began  time.Time
	bar    *progressBar
	events uint64

	buffer *bufio.Writer
	soon   bool // what is printed must not wait for more
	told   int  // bad lines
	check  *replay.Check

	outcome replay.Checked // of check
}

func newReplayer(sh *shell, a *replayAsk) *replayer {
	r := &replayer{ask: a, began: time.Now(), bar: newProgressBar(sh.err), buffer: bufio.NewWriterSize(sh.out, 64<<10)}
	own := *sh
	own.out = r.buffer
	r.shell = &own
	r.soon = isTerminal(sh.out) || slices.Contains(a.files, "-")
	if len(a.against) > 0 {
		r.diff = &compare.Comparison{}
	}
	return r
}

// start makes the runs.
func (r *replayer) start(recall func(uint64) (schemas.Event, error)) {
	if r.diff == nil {
		r.runs = []*replay.Run{r.run(r.set, recall, r.incident)}
		return
	}
	r.runs = []*replay.Run{r.run(r.set, recall, r.diff.First), r.run(r.other, recall, r.diff.Second)}
}

// apply shows all runs an event.
func (r *replayer) apply(e schemas.Event) error {
	for _, run := range r.runs {
		if err := run.Apply(e); err != nil {
			return err
		}
	}
	if r.diff != nil {
		r.diff.Next()
	}
	r.events++
	return nil
}

// progressEvery is how many events pass between two looks at the clock.
const progressEvery = 2048

func (r *replayer) fromFiles(ctx context.Context) (err error) {
	files := &replay.Files{
		Names: r.ask.files, Stdin: r.in, As: r.ask.as, Strict: r.ask.strict, Bad: r.bad,
		Recall: replay.Joins(r.set, r.other),
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	r.start(files.RecallEvent)
	failed := r.closing(files.Each(ctx, func(e schemas.Event) error {
		if r.events%progressEvery == 0 {
			r.bar.show(r.events, files.Counts().Bytes, files.Total(), r.runs[0])
		}
		return r.apply(e)
	}))
	var format *replay.FormatError
	if errors.As(failed, &format) {
		return usageError{format}
	}
	counts := files.Counts()
	found, err := r.end(counts)
	switch {
	case err != nil || failed != nil:
		return errors.Join(failed, err)
	case counts.Bad > 0:
		fmt.Fprintf(r.err, "firebreak: %s could not be taken; the others were replayed\n", countOf(counts.Bad, "line"))
		return errFound
	case found:
		return errFound
	}
	return nil
}

// closing waits until all incidents are told.
func (r *replayer) closing(err error) error {
	for _, run := range r.runs {
		if told := run.Close(); told != nil {
			err = told // which ended the reading, too
		}
	}
	r.bar.clear()
	if errors.Is(err, context.Canceled) {
		err = fmt.Errorf("interrupted after %s: %w", countOf(r.events, "event"), err)
	}
	return err
}

// mostBadTold bounds the bad lines that are shown.
const mostBadTold = 10

func (r *replayer) bad(b replay.Bad) {
	if r.told++; r.told > mostBadTold {
		return
	}
	r.bar.clear()
	fmt.Fprintf(r.err, "firebreak: %s\n", visible(b.Error()))
	if r.told == mostBadTold {
		fmt.Fprintln(r.err, "firebreak: further lines that cannot be taken are counted, not shown")
	}
}

// end prints what is told in the end; found says that there is a difference or
// a disagreement.
func (r *replayer) end(counts replay.Counts) (found bool, err error) {
	seconds := time.Since(r.began).Seconds()
	sums := make([]replay.Summary, 0, len(r.runs))
	for _, run := range r.runs {
		s := run.Summary()
		s.Seconds, s.Lines, s.Bad, s.Bytes = seconds, counts.Lines, counts.Bad, counts.Bytes
		if seconds > 0 {
			s.EventsPerSecond = float64(s.Events) / seconds
		}
		sums = append(sums, s)
	}
	switch {
	case r.diff != nil:
		found, err = r.differences(sums)
	case r.check != nil:
		found, err = r.checked(sums[0])
	default:
		err = r.summary(sums[0])
	}
	return found, errors.Join(err, r.buffer.Flush())
}

// incident prints one as it opens.
func (r *replayer) incident(in replay.Incident) error {
	if r.check != nil {
		r.check.Incident(in)
	}
	r.bar.clear()
	if r.json {
		if err := r.line(in); err != nil {
			return err
		}
	} else {
		r.printReplayed(in)
	}
	if r.soon {
		return r.buffer.Flush()
	}
	return nil
}
