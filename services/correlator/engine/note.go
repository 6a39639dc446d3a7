package engine

import (
	"container/heap"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"firebreak/services/correlator/engine/window"
)

// An event may complete a match after it has arrived: when one that belongs
// before it comes later, or when its time has come. Its data is gone then, so
// what is read of it further up is noted beside its entry. An event that
// nothing waits for, or that the watermark has passed, needs no note.

// How a value is noted: absent, as JSON, or as text. Most of those are ids in
// hexadecimal, of which two digits take one byte.
const (
	noValue = iota
	jsonValue
	textValue // and above it the length, and whether it is packed
)

// leastHex is from how many digits on it is worth it.
const leastHex = 16

// note writes down an operand's event for when it completes the match later. A
// million of them may be open: types are written by their number, the time as
// what differs from the entry's.
func (n *node) note(operand int, h hit) string {
	types := n.typesOf(operand)
	known := slices.Index(types, h.ref.typ)
	b := make([]byte, 0, 64+len(h.ref.source)+len(h.ref.id))
	b = appendValue(appendText(b, h.ref.source), h.ref.id)
	b = binary.AppendUvarint(b, uint64(known+1)) //nolint:gosec // not less than 0
	if known < 0 {
		b = appendText(b, h.ref.typ)
	}
	b = binary.AppendVarint(b, h.ref.time-h.at)
	for _, path := range n.noted[operand] {
		v, _ := lookUp(h.data, path)
		b = appendValue(b, kept(v))
	}
	return string(b)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, noValue)
	case string:
		if len(v) >= leastHex && strings.Trim(v, "0123456789abcdef") == "" {
			if packed, err := hex.DecodeString(v); err == nil {
				return append(binary.AppendUvarint(b, textValue+2*uint64(len(packed))+1), packed...)
			}
		}
		return append(binary.AppendUvarint(b, textValue+2*uint64(len(v))), v...)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return append(b, noValue) // data that was decoded from JSON always is JSON
	}
	return appendText(append(b, jsonValue), string(raw))
}

// typesOf are the types that the completing event of an operand may have.
func (n *node) typesOf(operand int) []string {
	of := n.Until
	if operand < len(n.Of) {
		of = n.Of[operand]
	}
	return n.book.Signals[of].Types
}

// fieldsNoted gives the fields that are read of an operand's event later on.
func (n *node) fieldsNoted(operand int) (out [][]string) {
	fields := n.up
	if n.deferred() {
		fields = append(append(slices.Clone(fields), n.by(operand)...), hostName)
	}
	for _, path := range fields {
		if !slices.ContainsFunc(out, func(o []string) bool { return slices.Equal(o, path) }) {
			out = append(out, path)
		}
	}
	return out
}

// scroll reads what was noted.
type scroll struct{ b []byte }

func (s *scroll) uint() uint64 {
	v, used := binary.Uvarint(s.b)
	s.b = s.b[max(used, 0):]
	return v
}

func (s *scroll) text(n uint64) string {
	n = min(n, uint64(len(s.b)))
	out := string(s.b[:n])
	s.b = s.b[n:]
	return out
}

func (s *scroll) value() (v any) {
	switch n := s.uint(); {
	case n == noValue:
	case n == jsonValue:
		if json.Unmarshal([]byte(s.text(s.uint())), &v) != nil {
			return nil // the engine wrote it, and a snapshot is checked as a whole
		}
	case n%2 == textValue%2:
		return s.text((n - textValue) / 2)
	default:
		return hex.EncodeToString([]byte(s.text((n - textValue) / 2)))
	}
	return v
}

// read takes from a note what it says of the event.
func (n *node) read(operand int, note string, h *hit) {
	s := scroll{[]byte(note)}
	h.ref.source = s.text(s.uint())
	h.ref.id, _ = s.value().(string)
	if known, types := s.uint(), n.typesOf(operand); known == 0 {
		h.ref.typ = s.text(s.uint())
	} else if known <= uint64(len(types)) {
		h.ref.typ = types[known-1]
	}
	later, used := binary.Varint(s.b)
	h.ref.time = h.at + later
	s.b = s.b[max(used, 0):]
	h.data = map[string]any{}
	for _, path := range n.noted[operand] {
		if v := s.value(); v != nil {
			put(h.data, path, v)
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
	e.store.SetNote(a.slot, id, a.node.note(a.operand, a.hit))
	heap.Push(&e.fresh, noted{at: a.hit.at, hash: a.hit.hash, entry: id})
}

// notes are those that last until the watermark passes them, by their time:
// what is kept must not depend on the order in which they came, which a restart
// forgets.
type notes []noted

type noted struct {
	at    int64
	hash  uint64
	entry int32
}

func (q notes) Len() int           { return len(q) }
func (q notes) Less(i, j int) bool { return q[i].at < q[j].at }
func (q notes) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push and Pop are for container/heap.
func (q *notes) Push(x any) { *q = pushed(*q, x) }

// Pop takes the last one away.
func (q *notes) Pop() any { return popped((*[]noted)(q)) }

// forget drops the notes that the watermark has passed.
func (q *notes) forget(e *Engine) {
	for len(*q) > 0 && (*q)[0].at < e.done {
		n := (*q)[0]
		heap.Pop(q)
		entry := e.store.Entry(n.entry)
		if entry.Hash == n.hash && entry.At == n.at && !entry.Has(window.Pending) {
			e.store.ClearNote(n.entry)
		}
	}
}

// rebuild finds the notes again that the windows hold.
func (q *notes) rebuild(e *Engine) {
	*q = nil
	e.eachEntry(func(id int32) {
		entry := e.store.Entry(id)
		if e.store.Note(id) != "" && !entry.Has(window.Pending) {
			*q = append(*q, noted{at: entry.At, hash: entry.Hash, entry: id})
		}
	})
	heap.Init(q)
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
