package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"firebreak/schemas"
	"firebreak/services/correlator/engine/window"
	"firebreak/services/playbook"
	"firebreak/services/playbook/expr"
)

// Fields that the engine itself reads.
var (
	containerID = []string{"container", "id"}
	podUID      = []string{"k8s", "pod", "uid"}
	hostName    = []string{"host", "name"}
)

// hit is an event that stands for a signal: itself, or as what completes a match.
type hit struct {
	at   int64          // the time it counts with
	ref  who            // zero when it is not known any more
	seq  uint64         // where the log holds it
	hash uint64         // of its writer, source and id
	data map[string]any // its fields, or those that are read further up
	late bool           // windows do not take it
}

// who is an event as others name it.
type who struct {
	source, id, typ string
	time            int64
}

// match finds the signals that the event is one of, and what that completes.
func (e *Engine) match(ev *schemas.Event) {
	w := &e.work
	w.rules, w.data = w.rules[:0], nil
	err := e.index.Match(ev.Type, ev.Data, &w.scratch, w.yield)
	if e.Observe != nil {
		e.observeRules(ev)
	}
	if err == nil && len(w.rules) > 0 {
		err = honest(ev, w.data)
	}
	if err != nil {
		e.failRules(w.rules, err)
		return
	}
	if len(w.rules) == 0 {
		return
	}
	e.now.hash = identity(ev.Writer, ev.Source, ev.ID)
	if e.seen.before(e.now.hash) {
		e.eachBook(w.rules, func(rule int) {
			e.leaf[rule].book.stats.Duplicates++
			e.observeLeaf(rule, Duplicate, nil)
		})
		return
	}
	e.matched()
}

// matched hands the event to the matches, one playbook after another.
func (e *Engine) matched() {
	h := hit{
		at: e.now.at, late: e.now.late, seq: e.now.Seq, hash: e.now.hash, data: e.work.data,
		ref: who{e.now.Source, e.now.ID, e.now.Type, e.now.at},
	}
	rules := e.work.rules
	for i, rule := range rules {
		l := &e.leaf[rule]
		e.at = l.book
		l.book.stats.Matched++
		for _, u := range l.uses {
			e.arrive(u, h)
		}
		if i+1 == len(rules) || e.leaf[rules[i+1]].book != l.book {
			e.flush()
		}
	}
	e.work.data = nil
}

// eachBook calls do with the first rule of each playbook.
func (e *Engine) eachBook(rules []int, do func(rule int)) {
	var last *book
	for _, rule := range rules {
		if b := e.leaf[rule].book; b != last {
			last = b
			do(rule)
		}
	}
}

// failRules counts an event that could not be looked at.
func (e *Engine) failRules(rules []int, err error) {
	e.eachBook(rules, func(rule int) {
		e.leaf[rule].book.stats.fail(err)
		e.observeLeaf(rule, Failed, err)
	})
}

// arrive hands a hit to a match that has it as an operand.
func (e *Engine) arrive(u use, h hit) {
	n := u.node
	if n.Op == playbook.OpAny {
		e.any(u, h)
		return
	}
	if h.late {
		n.book.stats.Late++
		e.observe(Late, n, "", h, 0, 0, "")
		return
	}
	group, err := groupText(n.by(u.operand), h.data)
	if err != nil {
		n.book.stats.fail(err)
		e.observe(Failed, n, "", h, 0, 0, err.Error())
		return
	}
	a := arrival{node: n, operand: u.operand, hit: h, group: group}
	if err := a.readField(); err != nil {
		n.book.stats.fail(err)
		e.observe(Failed, n, group, h, 0, 0, err.Error())
		return
	}
	id, fresh := e.store.Open(n.index, n.key(group))
	if fresh && e.store.Count(n.index) > e.limits.windows {
		e.evict(n)
	}
	a.id, a.slot = id, e.store.Slot(id)
	switch n.Op {
	case playbook.OpCount:
		e.count(a)
	case playbook.OpAll, playbook.OpDistinct:
		e.gather(a)
	case playbook.OpSequence:
		e.sequence(a)
	case playbook.OpAbsent:
		e.absent(a)
	case playbook.OpBaseline:
		e.baseline(a)
	}
}

// arrival is a hit in the window that it belongs to.
type arrival struct {
	node    *node
	operand int
	hit     hit
	group   string
	value   uint64  // of distinct: the hash of the field's value
	number  float64 // of baseline
	id      int32
	slot    *window.Slot
}

// key names the window of a group.
func (n *node) key(group string) window.Key {
	var room [128]byte
	b := binary.BigEndian.AppendUint64(room[:0], n.print.Hi)
	b = binary.BigEndian.AppendUint64(b, n.print.Lo)
	return cut(sha256.Sum256(append(b, group...)))
}

// identity is the hash by which an event is known again. The writer belongs to
// it: nobody can have another's event taken for known.
func identity(writer, source, id string) uint64 {
	var room [256]byte
	b := append(append(room[:0], writer...), '\n')
	b = append(append(b, source...), '\n')
	sum := sha256.Sum256(append(b, id...))
	return binary.BigEndian.Uint64(sum[:8])
}

// maxGroup bounds the text of a group: it is kept for as long as `once` lasts,
// and whoever writes an event chooses it.
const maxGroup = 1024

// maxValue bounds a value that is kept of an event: those of `by`, and what is
// noted of it for later.
const maxValue = 1024

// kept gives a value that is long as its beginning and its hash. What is short
// is as it was, so that it does not matter how often a value was kept.
func kept(v any) any {
	whole, is := v.(string)
	switch v.(type) {
	case string, nil, float64, bool:
		if len(whole) <= maxValue {
			return v
		}
	default:
		var err error
		if whole, err = jsonText(v); err != nil || len(whole) <= maxValue {
			return v
		}
	}
	if !is {
		return cutShort(whole, sha256.Sum256([]byte("json\n"+whole))) // not the same as its text
	}
	return cutShort(whole, sha256.Sum256([]byte(whole)))
}

func cutShort(s string, sum [sha256.Size]byte) string {
	cut := maxValue / 2
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…#" + hex.EncodeToString(sum[:])
}

// groupText gives the group's key as text. A field that is absent is an error:
// an event that cannot be told apart belongs to no group. A long one ends with
// its hash, so that no two are written alike.
func groupText(by [][]string, data map[string]any) (string, error) {
	group, err := wholeGroup(by, data)
	if len(group) <= maxGroup {
		return group, err
	}
	return cutShort(group, sha256.Sum256([]byte(group))), err
}

func wholeGroup(by [][]string, data map[string]any) (string, error) {
	if len(by) == 0 {
		return "", nil
	}
	if len(by) == 1 {
		v, err := lookFor(data, by[0])
		if err != nil {
			return "", err
		}
		return text(v)
	}
	values := make([]any, len(by))
	for i, path := range by {
		var err error
		if values[i], err = lookFor(data, path); err != nil {
			return "", err
		}
	}
	return jsonText(values)
}

func lookFor(data map[string]any, path []string) (any, error) {
	v, ok := lookUp(data, path)
	if !ok {
		return nil, fmt.Errorf("by: field %s: %w", strings.Join(path, "."), expr.ErrAbsent)
	}
	return kept(v), nil
}

// keyOf names the group's values by every path that an operand has for them.
func (n *node) keyOf(operand int, data map[string]any) map[string]any {
	if !n.Grouped() {
		return nil
	}
	key := map[string]any{}
	for i, path := range n.by(operand) {
		v, ok := lookUp(data, path)
		if !ok {
			continue
		}
		for _, of := range n.By {
			if i < len(of) {
				key[strings.Join(of[i], ".")] = kept(v)
			}
		}
	}
	return key
}

func lookUp(data map[string]any, path []string) (any, bool) {
	var v any = data
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = m[name]; !ok || v == nil {
			return nil, false
		}
	}
	return v, true
}

// text writes one value as it is, and what has parts as JSON, as several values
// are, so that no two groups are written alike.
func text(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	return jsonText(v)
}

func jsonText(v any) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("by: %w: %w", schemas.ErrInvalid, err)
	}
	return string(raw), nil
}
