package engine

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/services/playbook"
)

// load compiles a playbook as authors write it: the signals a, b, c and d are
// programs that start, and load is a container's use of CPU.
func load(t *testing.T, signals, match, more string) *playbook.Set {
	t.Helper()
	// Only what the match speaks of, because a signal that nobody uses is an error.
	all := map[string]string{
		"a":    `{type: runtime.process.started, when: 'has(process.executable.name) && process.executable.name == "a"'}`,
		"b":    `{type: runtime.process.started, when: 'has(process.executable.name) && process.executable.name == "b"'}`,
		"c":    `{type: runtime.process.started, when: 'has(process.executable.name) && process.executable.name == "c"'}`,
		"ab":   `{type: runtime.process.started, when: 'has(process.executable.name) && process.executable.name in ["a", "b"]'}`,
		"load": `{type: runtime.container.usage}`,
	}
	on := signals
	words := strings.FieldsFunc(signals+"\n"+match, func(r rune) bool { return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '.') })
	for _, name := range []string{"a", "b", "c", "ab", "load"} {
		for _, w := range words {
			if w == name {
				on += "\n  " + name + ": " + all[name]
				break
			}
		}
	}
	text := `apiVersion: firebreak/v1
kind: Playbook
metadata: {name: p, summary: Something happens, arena: runtime, severity: high, attack: [T1496.001]}
on:
` + "  " + strings.TrimSpace(on) + `
match: ` + match + `
` + more + `
guard: {mode: observe}
then:
  - do: container.pause
    for: 1h
`
	spec := schemas.Spec{Name: "container.pause", TargetKind: "container", Place: "node", Undo: "resumed", Params: json.RawMessage(`{"type":"object"}`)}
	set, findings := playbook.Load([]playbook.Source{{Name: "p.yaml", Data: []byte(text)}}, []schemas.Spec{spec})
	if set == nil {
		t.Fatalf("%v in\n%s", findings, text)
	}
	return set
}

// event reads a line of a script, such as
//
//	12.5 a c1 pid=7 src=n2 stored=20 id=x
//
// at 12.5 s program a started in container c1. Other words than programs are
// load (cpu=), tick, beat (types are what src gives), lost, dropped, armed and
// suppressed (until=).
func scriptEvent(t *testing.T, seq int, line string) schemas.Event {
	t.Helper()
	words := strings.Fields(line)
	seconds := func(s string) time.Time {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return epoch.Add(time.Duration(v * float64(time.Second)))
	}
	opt := map[string]string{"src": "n1", "id": fmt.Sprint("e", seq)}
	for _, w := range words[2:] {
		if k, v, ok := strings.Cut(w, "="); ok {
			opt[k] = v
		}
	}
	ev := schemas.Event{ID: opt["id"], Source: "/local/" + opt["src"] + "/exec", Time: seconds(words[0]), Seq: uint64(seq)}
	ev.Stored = ev.Time.Add(time.Millisecond)
	if s, ok := opt["stored"]; ok {
		ev.Stored = seconds(s)
	}
	host := &schemas.Host{Name: opt["src"]}
	var data any
	switch words[1] {
	case "tick":
		ev.Type, ev.Source, data = schemas.Tick, "/local/core/correlator", schemas.TickEvent{At: ev.Time}
	case "beat":
		ev.Type = schemas.Heartbeat
		data = schemas.SourceEvent{Host: host, Source: "exec", Types: []string{schemas.ProcessStarted}}
	case "lost":
		ev.Type, data = schemas.SourceLost, schemas.SourceEvent{Host: host, Source: "exec"}
	case "dropped":
		ev.Type, data = schemas.EventsLost, schemas.LossEvent{Host: host, Source: "exec", Count: 1, Reason: "full"}
	case "armed":
		ev.Type, data = schemas.GroupArmed, schemas.GroupEvent{Playbook: "p", Group: words[2], Incident: opt["incident"]}
	case "suppressed":
		ev.Type = schemas.GroupSuppressed
		data = schemas.GroupEvent{Playbook: "p", Group: words[2], Until: seconds(opt["until"]).Format(time.RFC3339Nano)}
	case "load":
		ev.Type = schemas.ContainerUsage
		data = map[string]any{"host": host, "container": map[string]any{"id": words[2], "cpu": map[string]any{"utilization": json.RawMessage(opt["cpu"])}}}
	default:
		ev.Type = schemas.ProcessStarted
		process := map[string]any{"executable": map[string]any{"name": words[1]}}
		if pid, ok := opt["pid"]; ok {
			process["pid"] = json.RawMessage(pid)
		}
		container := map[string]any{"image": map[string]any{"digest": opt["image"]}}
		if words[2] != "-" {
			container["id"] = words[2]
		}
		data = map[string]any{"host": host, "container": container, "process": process}
	}
	raw, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	ev.Data = raw
	return ev
}

func script(t *testing.T, lines string) (out []schemas.Event) {
	t.Helper()
	for _, line := range strings.Split(lines, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, scriptEvent(t, len(out)+1, line))
		}
	}
	return out
}

// told applies a script and says, for each line that decides something, what:
// the line's number, and the decisions with the time and id of the event that
// completed the match.
func told(t *testing.T, e *Engine, events []schemas.Event) string {
	t.Helper()
	recall := recallFrom(events)
	var out []string
	for i, ev := range events {
		for _, d := range e.Apply(ev) {
			d, err := Fill(d, recall)
			if err != nil {
				t.Fatal(err)
			}
			what := ""
			switch d := d.(type) {
			case Opened:
				what = fmt.Sprintf("opened %s at %v by %s", d.Opened.Group, d.Opened.Trigger.Time.Sub(epoch), d.Opened.Trigger.ID)
			case Recurred:
				what = fmt.Sprintf("recurred at %v by %s", d.Recurred.Trigger.Time.Sub(epoch), d.Recurred.Trigger.ID)
			case Unknown:
				what = fmt.Sprintf("unknown %s %s after %s", d.Signal, d.Group, d.After)
			case Overflowed:
				what = fmt.Sprintf("overflowed %s %d over %d", d.Signal, d.Count, d.Limit)
			case Refused:
				what = fmt.Sprintf("refused %s %d", d.ID, d.Count)
			case Gap:
				what = "gap"
			}
			out = append(out, fmt.Sprintf("%d: %s", i+1, what))
		}
	}
	return strings.Join(out, "\n")
}
