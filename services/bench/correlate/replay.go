package correlate

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"firebreak/schemas"
	"firebreak/services/bench/events"
	"firebreak/services/playbook"
	"firebreak/services/workshop/format"
	"firebreak/services/workshop/replay"
)

// Replay measures how fast a recorded file goes through the whole library:
// structured CloudEvents, one a line, read, decoded and matched as `firebreak
// playbook replay` does.
type Replay struct {
	Seed     uint64
	N        int // events in the file
	Rounds   int // the same file so many times
	Dir      string
	Library  []playbook.Source
	Specs    []schemas.Spec
	Progress Progress
}

// ReplayResult is what came of it.
type ReplayResult struct {
	Measure   string  `json:"measure"`
	N         int     `json:"events"`
	Bytes     float64 `json:"bytes_per_event"` // of the line
	Playbooks int     `json:"playbooks"`
	Rounds    int     `json:"rounds"`
	Incidents uint64  `json:"incidents"`
	Bare      Rate    `json:"decode_map"` // encoding/json of the lines into maps, on one core: the baseline
	Rate      Rate    `json:"replayed"`   // median, reading and decoding included
	Seconds   float64 `json:"seconds"`    // median
	Ratio     float64 `json:"ratio"`      // to the baseline, by the clock
}

// Run takes the measurement.
func (r Replay) Run(ctx context.Context) (out ReplayResult, err error) {
	out = ReplayResult{Measure: "replay", N: r.N, Rounds: r.Rounds}
	if r.N < 1 || r.Rounds < 1 {
		return out, fmt.Errorf("bench correlate: replay: %w", errNothing)
	}
	set, err := load(r.Library, r.Specs)
	if err != nil {
		return out, err
	}
	out.Playbooks = len(set.Playbooks)
	path := filepath.Join(r.Dir, "events.ndjson")
	size, err := r.record(ctx, path)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, os.Remove(path)) }()
	out.Bytes = round(size/float64(r.N), 0)
	var rates, bare []Rate
	for i := range r.Rounds {
		base, err := r.lines(path)
		if err != nil {
			return out, fmt.Errorf("bench correlate: replay: %w", err)
		}
		bare = append(bare, base)
		rate, sum, err := r.once(ctx, path, set)
		if err != nil {
			return out, fmt.Errorf("bench correlate: replay: %w", err)
		}
		rates = append(rates, rate)
		out.Incidents = sum.Incidents
		r.Progress.tell(i+1, r.Rounds)
	}
	out.Rate, out.Bare, out.Ratio = middle(rates), middle(bare), ratios(rates, bare, byClock)
	out.Seconds = round(float64(r.N)/out.Rate.PerSecond, 2)
	return out, nil
}

// record writes the file.
func (r Replay) record(ctx context.Context, path string) (size float64, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // in a folder of our own
	if err != nil {
		return 0, fmt.Errorf("a file to replay: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w, mix := bufio.NewWriterSize(f, 1<<20), events.NewMix(r.Seed)
	for i := range r.N {
		if i%65536 == 0 {
			if err := ended(ctx, "replay"); err != nil {
				return 0, err
			}
		}
		e, err := mix.Next()
		if err != nil {
			return 0, err
		}
		line, err := structured(e)
		if err != nil {
			return 0, err
		}
		n, err := w.Write(append(line, '\n'))
		if err != nil {
			return 0, fmt.Errorf("a file to replay: %w", err)
		}
		size += float64(n)
	}
	if err := w.Flush(); err != nil {
		return 0, fmt.Errorf("a file to replay: %w", err)
	}
	return size, nil
}

// bareLines is how many lines of the file the baseline decodes.
const bareLines = 50_000

// lines is the baseline.
func (r Replay) lines(path string) (rate Rate, err error) {
	defer oneCore()()
	f, err := os.Open(path) //nolint:gosec // our own file
	if err != nil {
		return rate, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	heap()
	w, err := start()
	if err != nil {
		return rate, err
	}
	n := 0
	scan := bufio.NewScanner(f)
	for ; n < bareLines && scan.Scan(); n++ {
		var line map[string]any
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
			return rate, err
		}
	}
	if err := scan.Err(); err != nil {
		return rate, err
	}
	return w.rate(n)
}

// once replays the file.
func (r Replay) once(ctx context.Context, path string, set *playbook.Set) (rate Rate, sum replay.Summary, err error) {
	heap()
	w, err := start()
	if err != nil {
		return rate, sum, err
	}
	var bad error
	files := &replay.Files{
		Names: []string{path}, As: format.CloudEvents, Recall: replay.Joins(set), Strict: true,
		Bad: func(b replay.Bad) { bad = b },
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	run := replay.New(replay.Config{
		Set: set, Specs: r.Specs, Alive: true, Recall: files.RecallEvent,
		Incident: func(replay.Incident) error { return nil },
	})
	if err := files.Each(ctx, run.Apply); err != nil {
		return rate, sum, err
	}
	if rate, err = w.rate(r.N); err != nil {
		return rate, sum, err
	}
	sum = run.Summary()
	if bad != nil || sum.Events != uint64(r.N) { //nolint:gosec // a count
		return rate, sum, errors.Join(bad, fmt.Errorf("%d of %d events were replayed", sum.Events, r.N))
	}
	return rate, sum, nil
}
