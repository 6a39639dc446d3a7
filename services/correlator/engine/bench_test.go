package engine

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/services/playbook"
)

// counting waits for something that never comes, so that windows stay open.
func counting(t fataler, op playbook.Op) *playbook.Playbook {
	p := miner(t, "p", "xmrig", 0, "container.id")
	by := p.Match.By[0]
	p.Match = playbook.Match{Op: op, Of: []int{0}, Until: -1, By: [][][]string{by}, Within: 24 * time.Hour, AtLeast: 1000}
	switch op {
	case playbook.OpAll, playbook.OpSequence, playbook.OpAbsent:
		never := p.Signals[0]
		never.Name, never.When = "never", condition(t, `process.executable.name == "never"`)
		p.Signals = append(p.Signals, never)
		p.Match.Of, p.Match.By = []int{0, 1}, [][][]string{by, by}
	case playbook.OpDistinct:
		p.Match.Field = byPID
	}
	return p
}

// feed hands a hit to the playbook's own match, past the decoding and the
// conditions: what is left is the window.
func (e *Engine) feed(data map[string]any, at int64, seq uint64) {
	e.out = nil
	e.arrive(use{e.nodes[0], 0}, hit{
		at: at, seq: seq, hash: seq*0x9e3779b97f4a7c15 + 1, ref: who{"/local/n1/exec", "e", schemas.ProcessStarted, at}, data: data,
	})
}

func dataOf(container string, pid int) map[string]any {
	return map[string]any{"container": map[string]any{"id": container}, "process": map[string]any{"pid": float64(pid)}}
}

var windowOps = []playbook.Op{playbook.OpCount, playbook.OpAll, playbook.OpSequence, playbook.OpDistinct}

func BenchmarkWindowHot(b *testing.B) {
	for _, op := range windowOps {
		b.Run(string(op), func(b *testing.B) {
			e := New(set("d", counting(b, op)))
			at, seq := epoch.UnixNano(), uint64(0)
			var datas []map[string]any
			for pid := range 7 {
				datas = append(datas, dataOf("c1", pid))
			}
			b.ReportAllocs()
			for b.Loop() {
				seq++
				at += int64(time.Millisecond)
				e.done = at - int64(Lateness)
				e.feed(datas[seq%7], at, seq)
			}
		})
	}
}

func BenchmarkWindowMillionKeys(b *testing.B) {
	for _, op := range windowOps {
		b.Run(string(op), func(b *testing.B) {
			e := million(b, op)
			names := make([]map[string]any, 1_000_000)
			for i := range names {
				names[i] = dataOf("container-"+strconv.Itoa(i), 1)
			}
			at, seq := epoch.UnixNano(), uint64(len(names))
			e.done = at - int64(Lateness)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				seq++
				e.feed(names[seq*2654435761%uint64(len(names))], at+int64(seq), seq)
			}
		})
	}
}

// million is an engine with a million open windows.
func million(t fataler, op playbook.Op) *Engine {
	e := New(set("d", counting(t, op)))
	at := epoch.UnixNano()
	for i := range 1_000_000 {
		e.feed(dataOf("container-"+strconv.Itoa(i), i%7), at+int64(i), uint64(i+1))
	}
	return e
}

func BenchmarkMemoryOfAMillionWindows(b *testing.B) {
	for _, op := range append([]playbook.Op{playbook.OpAbsent}, windowOps...) {
		b.Run(string(op), func(b *testing.B) {
			for range b.N {
				before := inUse()
				e := million(b, op)
				per := float64(inUse()-before) / float64(e.Windows())
				b.ReportMetric(per, "B/window")
				runtime.KeepAlive(e)
			}
		})
	}
}

func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

func BenchmarkSnapshotOfAMillionWindows(b *testing.B) {
	e := million(b, playbook.OpCount)
	var s []byte
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			s = e.Snapshot()
		}
		b.ReportMetric(float64(len(s))/float64(e.Windows()), "B/window")
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if err := e.Restore(s); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkApply is an event of a hot group through all of the engine.
func BenchmarkApply(b *testing.B) {
	for _, op := range windowOps {
		b.Run(string(op), func(b *testing.B) {
			e := New(set("d", counting(b, op)))
			ev := start(1, 0, "c1", "xmrig")
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				n++
				ev.ID, ev.Seq = "e"+strconv.Itoa(n), uint64(n)
				ev.Time = ev.Time.Add(time.Millisecond)
				ev.Stored = ev.Time
				e.Apply(ev)
			}
		})
	}
}

// BenchmarkNested is a count within a sequence: what is noted beside entries costs.
func BenchmarkNested(b *testing.B) {
	p := counting(b, playbook.OpCount)
	inner := p.Match
	inner.AtLeast = 10
	inner.Within = time.Minute
	p.Signals = append(p.Signals, playbook.Signal{Name: "many", Match: &inner}, playbook.Signal{
		Name: "then", Type: schemas.ProcessStarted, When: condition(b, `process.executable.name == "never"`),
	})
	p.Match = playbook.Match{Op: playbook.OpSequence, Of: []int{1, 2}, Until: -1, Within: time.Minute, By: [][][]string{inner.By[0], inner.By[0]}}
	e := New(set("d", p))
	ev := start(1, 0, "c1", "xmrig")
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		ev.ID, ev.Seq = "e"+strconv.Itoa(n), uint64(n)
		ev.Data = json.RawMessage(fmt.Sprintf(`{"container":{"id":"c%d"},"process":{"pid":7,"executable":{"name":"xmrig"}}}`, n%100))
		ev.Time = ev.Time.Add(time.Millisecond)
		ev.Stored = ev.Time
		e.Apply(ev)
	}
}
