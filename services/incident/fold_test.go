package incident

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"firebreak/schemas"
)

const place = "node-n1"

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// history makes valid histories: it numbers records and stamps them.
type history struct {
	t    interface{ Fatal(...any) }
	list []schemas.Record
	n    map[string]int
}

func (h *history) add(task, place string, kind schemas.Kind, data any) {
	if h.n == nil {
		h.n = map[string]int{}
	}
	key := task + "/" + place + "/" + string(kind)
	seq := uint64(len(h.list) + 1)
	at := epoch.Add(time.Duration(seq) * time.Second)
	r, err := schemas.NewRecord("i1", task, place, kind, h.n[key], at, data)
	if err != nil {
		h.t.Fatal(err)
	}
	h.n[key]++
	r.Seq, r.Stored = seq, at
	h.list = append(h.list, r)
}

func signalOf(container string) map[string]schemas.Signal {
	return map[string]schemas.Signal{"start": {
		EventRef: schemas.EventRef{Source: "/l/n1/exec", ID: "e-" + container, Type: schemas.ProcessStarted, Time: epoch},
		Data:     json.RawMessage(fmt.Sprintf(`{"host":{"name":"n1"},"container":{"id":%q}}`, container)),
	}}
}

func opened(steps ...schemas.Step) schemas.Opened {
	return schemas.Opened{
		Playbook: schemas.Playbook{Name: "p", Severity: "high"}, Group: "c1", Signals: signalOf("c1"),
		Guard: schemas.Guard{Mode: "enforce"}, Steps: steps, Once: schemas.Duration(time.Hour),
	}
}

func target(id string) schemas.Target {
	return schemas.Target{Kind: "container", ID: id, Place: place}
}

func requested(step, id, mode string, attempt int) schemas.Requested {
	return schemas.Requested{Step: step, Action: "container.pause", Target: target(id), Mode: mode, Attempt: attempt}
}

func fold(t interface{ Fatal(...any) }, list []schemas.Record) *Incident {
	i := New("i1")
	for _, r := range list {
		if err := i.Apply(r); err != nil {
			t.Fatal(r.Seq, r.Kind, err)
		}
	}
	return i
}

// draw makes a random valid history of an incident with two steps on up to
// three targets, as conductor and responders would write it.
func draw(t *rapid.T) []schemas.Record {
	h := &history{t: t}
	steps := []schemas.Step{{ID: "pause", Do: "container.pause", Retry: &schemas.Retry{Attempts: 2}}, {ID: "capture", Do: "evidence.capture"}}
	h.add(schemas.TaskIncident, schemas.PlaceCore, schemas.KindOpened, opened(steps...))
	chains := map[string][]func(){}
	var names []string
	for _, s := range steps {
		for n := range rapid.IntRange(0, 3).Draw(t, "targets") {
			id := fmt.Sprintf("c%d", n)
			task := schemas.TaskID(s.ID, id)
			names = append(names, task)
			chains[task] = path(t, h, s.ID, task, id)
		}
	}
	if rapid.Bool().Draw(t, "recurs") {
		names = append(names, "recur")
		for n := range rapid.IntRange(1, 3).Draw(t, "recurrences") {
			chains["recur"] = append(chains["recur"], func() {
				h.add(schemas.TaskIncident, schemas.PlaceCore, schemas.KindRecurred, schemas.Recurred{Signals: signalOf(fmt.Sprintf("c%d", n))})
			})
		}
	}
	for {
		var left []string
		for _, n := range names {
			if len(chains[n]) > 0 {
				left = append(left, n)
			}
		}
		if len(left) == 0 {
			break
		}
		n := rapid.SampledFrom(left).Draw(t, "next")
		chains[n][0]()
		chains[n] = chains[n][1:]
	}
	if i := fold(t, h.list); i.settled() {
		h.add(schemas.TaskIncident, schemas.PlaceCore, schemas.KindClosed, schemas.Closed{Outcome: i.Verdict()})
	}
	return h.list
}

// path of one task, from its request to some end.
func path(t *rapid.T, h *history, step, task, id string) []func() {
	var out []func()
	add := func(place string, k schemas.Kind, data any) {
		out = append(out, func() { h.add(task, place, k, data) })
	}
	mode := rapid.SampledFrom([]string{ModeObserve, ModeEnforce}).Draw(t, "mode")
	attempt := 1
	add(place, schemas.KindRequested, requested(step, id, mode, attempt))
	if rapid.Bool().Draw(t, "times out") {
		add(schemas.PlaceCore, schemas.KindFailed, schemas.Outcome{Cause: "timeout", Step: step})
	}
	if mode == ModeObserve {
		add(place, schemas.KindObserved, schemas.Plan{})
		return out
	}
	for rapid.Bool().Draw(t, "fails") && attempt < 3 {
		add(place, schemas.KindFailed, schemas.Outcome{Transient: true})
		attempt++
		add(place, schemas.KindRequested, requested(step, id, mode, attempt))
	}
	switch rapid.SampledFrom([]string{"refused", "gone", "withdrawn", "planned"}).Draw(t, "first") {
	case "refused":
		add(place, schemas.KindRefused, schemas.Outcome{Cause: "protected"})
		return out
	case "gone":
		add(place, schemas.KindGone, schemas.Outcome{})
		return out
	case "withdrawn":
		add(place, schemas.KindRelease, schemas.Release{Reason: "asked"})
		add(place, schemas.KindReleasing, schemas.Releasing{})
		add(place, schemas.KindReleased, schemas.Released{})
		return out
	}
	add(place, schemas.KindPlanned, schemas.Plan{})
	if rapid.Bool().Draw(t, "fails after its plan") {
		add(place, schemas.KindFailed, schemas.Outcome{})
	} else {
		add(place, schemas.KindApplied, schemas.Effect{})
		for range rapid.IntRange(0, 3).Draw(t, "looks") {
			k := rapid.SampledFrom([]schemas.Kind{schemas.KindEnforced, schemas.KindPartial, schemas.KindIneffective, schemas.KindUnverified, schemas.KindKept}).Draw(t, "verdict")
			add(place, k, schemas.Verdict{})
		}
		if rapid.Bool().Draw(t, "expires") {
			add(schemas.PlaceCore, schemas.KindNoticed, schemas.Outcome{})
			add(schemas.PlaceCore, schemas.KindExpired, schemas.Outcome{})
		}
	}
	switch rapid.SampledFrom([]string{"held", "gone", "released"}).Draw(t, "end") {
	case "gone":
		add(place, schemas.KindGone, schemas.Outcome{})
	case "released":
		add(place, schemas.KindRelease, schemas.Release{Reason: "asked"})
		add(place, schemas.KindReleasing, schemas.Releasing{})
		if rapid.Bool().Draw(t, "undo fails once") {
			add(place, schemas.KindFailed, schemas.Outcome{Transient: true})
		}
		add(place, schemas.KindReleased, schemas.Released{Undone: true})
	}
	return out
}

// state is all that people and the conductor see.
func state(i *Incident) map[string]any {
	heads := map[string]schemas.Head{}
	for c, h := range i.heads {
		heads[c.task+"@"+c.place] = h
	}
	var ids []string
	for _, t := range i.Holding() {
		ids = append(ids, t.ID)
	}
	return map[string]any{
		"view": i.View(), "holding": ids, "heads": heads, "closable": i.MayClose(), "verdict": i.Verdict(),
		"failed": i.Failed(), "rounds": len(i.Rounds()), "settled": i.settled(),
		"next": len(i.Next(func(Key) bool { return true }).Retries),
	}
}

func TestAnyInterleavingAndRepetitionFoldsToTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := draw(t)
		want := state(fold(t, list))
		got := New("i1")
		queues := map[chain][]schemas.Record{}
		var order []chain
		for _, r := range list {
			c := chain{r.Task, r.Place}
			if len(queues[c]) == 0 {
				order = append(order, c)
			}
			queues[c] = append(queues[c], r)
		}
		done := []schemas.Record{}
		for len(order) > 0 {
			n := rapid.IntRange(0, len(order)-1).Draw(t, "chain")
			c := order[n]
			r := queues[c][0]
			if err := got.Apply(r); err != nil {
				t.Fatal(err)
			}
			done = append(done, r)
			if queues[c] = queues[c][1:]; len(queues[c]) == 0 {
				order = append(order[:n], order[n+1:]...)
			}
			if rapid.Bool().Draw(t, "twice") {
				if err := got.Apply(rapid.SampledFrom(done).Draw(t, "again")); err != nil {
					t.Fatal("a record that comes again:", err)
				}
			}
		}
		if d := cmp.Diff(want, state(got)); d != "" {
			t.Fatal(d)
		}
	})
}

func TestEveryPrefixIsSensible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := draw(t)
		i := New("i1")
		for _, r := range list {
			before := map[string]State{}
			for _, task := range i.Tasks() {
				before[task.ID] = task.State()
			}
			if err := i.Apply(r); err != nil {
				t.Fatal(err)
			}
			if i.State() == Closed && len(i.Holding()) > 0 {
				t.Fatal("closed while something is held")
			}
			for _, task := range i.Tasks() {
				was := before[task.ID]
				now := task.State()
				if (was == Refused || was == Gone && now != Gone || was == Observed || was == Released) && now != was {
					t.Fatal("two outcomes:", was, now)
				}
				if task.Held() && (now == Requested && task.Requested.Attempt <= 1 || now == Refused || now == Gone || now == Released || now == Observed) {
					t.Fatal("held in state", now)
				}
			}
		}
	})
}

// Whatever comes, in whatever order, an impossible record changes nothing but
// its chain's head.
func TestImpossibleRecordsDoNotCorrupt(t *testing.T) {
	kinds := []schemas.Kind{
		schemas.KindOpened, schemas.KindRecurred, schemas.KindClosed, schemas.KindRequested, schemas.KindSkipped,
		schemas.KindRelease, schemas.KindNoticed, schemas.KindExpired, schemas.KindPlanned, schemas.KindApplied,
		schemas.KindEnforced, schemas.KindPartial, schemas.KindIneffective, schemas.KindUnverified, schemas.KindFailed,
		schemas.KindRefused, schemas.KindGone, schemas.KindObserved, schemas.KindKept, schemas.KindReleasing,
		schemas.KindReleased, schemas.KindReleaseAsked, "of-tomorrow",
	}
	rapid.Check(t, func(t *rapid.T) {
		i := New("i1")
		for seq := range rapid.IntRange(1, 40).Draw(t, "records") {
			task := rapid.SampledFrom([]string{schemas.TaskIncident, schemas.TaskID("pause", "c1"), schemas.TaskID("pause", "")}).Draw(t, "task")
			where := rapid.SampledFrom([]string{schemas.PlaceCore, place, "node-n2", schemas.PlacePeople}).Draw(t, "place")
			kind := rapid.SampledFrom(kinds).Draw(t, "kind")
			var data any = requested("pause", "c1", ModeEnforce, rapid.IntRange(1, 3).Draw(t, "attempt"))
			switch {
			case kind == schemas.KindOpened:
				data = opened(schemas.Step{ID: "pause", Do: "container.pause"})
			case rapid.IntRange(0, 9).Draw(t, "broken") == 0:
				data = []int{1}
			}
			r, err := schemas.NewRecord("i1", task, where, kind, seq, epoch, data)
			if err != nil {
				t.Fatal(err)
			}
			r.Seq = uint64(seq + 1)
			before := state(i)
			err = i.Apply(r)
			after := state(i)
			if i.State() == Closed && len(i.Holding()) > 0 {
				t.Fatal("closed while something is held")
			}
			if err == nil {
				continue
			}
			if !errors.Is(err, ErrImpossible) && !errors.Is(err, schemas.ErrInvalid) {
				t.Fatal("an error without a class:", err)
			}
			delete(before, "heads")
			delete(after, "heads")
			if d := cmp.Diff(before, after); d != "" {
				t.Fatal("refused, yet it changed something:", kind, d)
			}
			if i.Head(task, where).Seq != r.Seq {
				t.Fatal("the head did not move")
			}
		}
	})
}
