package engine

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"slices"

	"firebreak/services/correlator/engine/window"
)

// An event may complete a match after it has arrived: when one that belongs
// before it comes later, or when its time has come. Its data is gone then, so
// what is read of it further up is noted beside its entry. An event that
// nothing waits for, or that the watermark has passed, needs no note.

// note writes down an operand's event for when it completes the match later.
func (n *node) note(operand int, h hit) string {
	fields := n.noted(operand)
	values := make([]any, len(fields))
	for i, path := range fields {
		if v, ok := lookUp(h.data, path); ok {
			values[i] = v
		}
	}
	raw, err := json.Marshal(values)
	if err != nil {
		raw = []byte("[]") // data that was decoded from JSON always is JSON
	}
	b := make([]byte, 0, len(h.ref.source)+len(h.ref.id)+len(h.ref.typ)+len(raw)+16)
	for _, s := range []string{h.ref.source, h.ref.id, h.ref.typ} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	b = binary.AppendVarint(b, h.ref.time)
	return string(append(b, raw...))
}

// noted are the fields that are read of an operand's event later on.
func (n *node) noted(operand int) [][]string {
	if !n.deferred() {
		return n.up
	}
	fields := append(slices.Clone(n.up), n.by(operand)...)
	return append(fields, hostName)
}

// read takes from a note what it says of the event.
func (n *node) read(operand int, note string, h *hit) {
	b := []byte(note)
	for _, into := range []*string{&h.ref.source, &h.ref.id, &h.ref.typ} {
		size, used := binary.Uvarint(b)
		*into = string(b[used : used+int(size)]) //nolint:gosec // the engine wrote it, and a snapshot is checked as a whole
		b = b[used+int(size):]                   //nolint:gosec // as above
	}
	at, used := binary.Varint(b)
	h.ref.time = at
	var values []any
	if json.Unmarshal(b[used:], &values) != nil {
		return
	}
	h.data = map[string]any{}
	for i, path := range n.noted(operand) {
		if i < len(values) && values[i] != nil {
			put(h.data, path, values[i])
		}
	}
}

func put(data map[string]any, path []string, value any) {
	for _, name := range path[:len(path)-1] {
		inner, ok := data[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			data[name] = inner
		}
		data = inner
	}
	data[path[len(path)-1]] = value
}

// stored gives the hit that an entry of a window stands for.
func (e *Engine) stored(n *node, operand int, id int32, current hit) hit {
	entry := e.store.Entry(id)
	if entry.Hash == current.hash && entry.At == current.at {
		return current
	}
	h := hit{at: entry.At, seq: entry.Seq, hash: entry.Hash}
	if note := e.store.Note(id); note != "" {
		n.read(operand, note, &h)
	} else if h.hash == e.now.hash && e.work.data != nil {
		h.ref, h.data = who{e.now.Source, e.now.ID, e.now.Type, e.now.at}, e.work.data
	}
	return h
}

// entryOf makes the entry of a hit.
func entryOf(h hit) window.Entry { return window.Entry{At: h.at, Seq: h.seq, Hash: h.hash} }

// remember notes what an operand's event is read for later, where the match is
// an operand itself and the event may still come to complete it.
func (e *Engine) remember(a arrival, id int32) {
	if a.node.root() || a.hit.at < e.done {
		return
	}
	e.store.SetNote(id, a.node.note(a.operand, a.hit))
	e.fresh.add(noted{at: a.hit.at, hash: a.hit.hash, entry: id})
}

// notes are those that last until the watermark passes them, in the order of arrival.
type notes struct {
	list []noted
	from int
}

type noted struct {
	at    int64
	hash  uint64
	entry int32
}

func (q *notes) add(n noted) { q.list = append(q.list, n) }

// forget drops the notes that the watermark has passed.
func (q *notes) forget(e *Engine) {
	for q.from < len(q.list) && q.list[q.from].at < e.done {
		n := q.list[q.from]
		q.from++
		entry := e.store.Entry(n.entry)
		if entry.Hash == n.hash && entry.At == n.at && !entry.Has(window.Pending) {
			e.store.ClearNote(n.entry)
		}
	}
	if q.from > len(q.list)/2 {
		q.list = append(q.list[:0], q.list[q.from:]...)
		q.from = 0
	}
}

// rebuild finds the notes again that the windows hold.
func (q *notes) rebuild(e *Engine) {
	*q = notes{}
	e.eachEntry(func(id int32) {
		entry := e.store.Entry(id)
		if e.store.Note(id) != "" && !entry.Has(window.Pending) {
			q.add(noted{at: entry.At, hash: entry.Hash, entry: id})
		}
	})
	slices.SortFunc(q.list, func(a, b noted) int { return cmp.Compare(a.at, b.at) })
}

// eachEntry visits all entries of windows whose match is an operand itself.
func (e *Engine) eachEntry(visit func(id int32)) {
	for _, n := range e.nodes {
		if n.root() {
			continue
		}
		for id := e.store.Oldest(n.index); id != 0; id = e.store.Newer(id) {
			for lane := e.store.Slot(id).Lanes; lane != 0; lane = e.store.Lane(lane).Next {
				for at := e.store.Lane(lane).Head; at != 0; at = e.store.Entry(at).Older {
					visit(at)
				}
			}
		}
	}
}
