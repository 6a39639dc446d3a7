package engine

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"

	"firebreak/services/correlator/engine/index"
	"firebreak/services/correlator/engine/window"
	"firebreak/services/playbook"
)

// plan is a set made ready: which signals an event may be one of, and which
// matches those signals are operands of.
type plan struct {
	set   *playbook.Set
	nodes []*node         // all matches, by playbook, the nested ones before those that use them
	known map[string]bool // playbooks by name
	leaves
}

// leaves are the signals that are events, the most severe playbook's first.
type leaves struct {
	index *index.Index
	leaf  []leaf
	types map[string][]int // leaves by the type of event they wait for
}

// leaf is a signal that is an event.
type leaf struct {
	book *book
	name string
	uses []use
}

// use is a match in which a signal is an operand.
type use struct {
	node    *node
	operand int // as in Match.Of; after the last of those: until
}

// node is a match of a playbook.
type node struct {
	*playbook.Match
	book   *book
	index  int32        // in plan.nodes
	name   string       // the signal's; "" of the playbook's own match
	print  window.Key   // the playbook's name and match, and which of its matches this is
	uses   []use        // where it is an operand
	up     [][]string   // fields of its completing event that are read further up
	noted  [][][]string // by operand: fields of its event that are read later on
	expect []string     // of absent: types of event that its absence is told by
	limit  int          // entries that a lane of it keeps
}

// book is a playbook with what is remembered of it.
type book struct {
	*playbook.Playbook
	order int // by name
	root  *node
	stats *tally
	once  *groups
}

// deferred says that the match is decided by the watermark, not on arrival.
func (n *node) deferred() bool {
	return n.Op == playbook.OpAbsent || n.Op == playbook.OpSequence && n.Until >= 0
}

func (n *node) root() bool { return n == n.book.root }

// anew says that what took part does not count again.
func (n *node) anew() bool {
	return n.root() && (n.Op == playbook.OpCount || n.Op == playbook.OpDistinct)
}

// reach is how long an event stays of interest.
func (n *node) reach() int64 {
	if n.Op == playbook.OpBaseline {
		return int64(n.Over)
	}
	return int64(n.Within)
}

func (e *Engine) compile(set *playbook.Set) *plan {
	if e.plan != nil {
		e.settle() // by the set that was in force
	}
	p := &plan{set: set, known: make(map[string]bool, len(set.Playbooks))}
	byName := slices.Clone(set.Playbooks)
	slices.SortStableFunc(byName, func(a, b *playbook.Playbook) int { return strings.Compare(a.Name, b.Name) })
	var books []*book
	uses := map[*book]map[int][]use{}
	for i, pb := range byName {
		p.known[pb.Name] = true
		b := &book{Playbook: pb, order: i, stats: e.statsOf(pb.Name), once: e.groupsOf(pb.Name)}
		books = append(books, b)
		uses[b] = p.addMatches(b)
	}
	slices.SortStableFunc(books, func(a, b *book) int { return urgency(b.Playbook) - urgency(a.Playbook) })
	var rules []index.Rule
	p.types = map[string][]int{}
	for _, b := range books {
		for i := range b.Signals {
			s := &b.Signals[i]
			if s.Match != nil || len(uses[b][i]) == 0 {
				continue
			}
			p.types[s.Type] = append(p.types[s.Type], len(rules))
			rules = append(rules, index.Rule{Type: s.Type, When: s.When})
			p.leaf = append(p.leaf, leaf{book: b, name: s.Name, uses: uses[b][i]})
		}
	}
	p.index = index.New(rules)
	return p
}

// addMatches adds the matches of a playbook, and says which of them use each signal.
func (p *plan) addMatches(b *book) map[int][]use {
	print := fingerprint(b.Playbook)
	uses := map[int][]use{}
	done := map[int]*node{}
	var nodes []*node
	var add func(m *playbook.Match, name string) *node
	add = func(m *playbook.Match, name string) *node {
		n := &node{Match: m, book: b, name: name}
		for operand, of := range operands(m) {
			s := &b.Signals[of]
			if s.Match != nil && done[of] == nil {
				done[of] = add(s.Match, s.Name)
			}
			uses[of] = append(uses[of], use{n, operand})
		}
		nodes = append(nodes, n)
		return n
	}
	b.root = add(&b.Match, "")
	for i, n := range nodes {
		n.index = int32(len(p.nodes)) //nolint:gosec // a set has not so many matches
		n.print = cut(sha256.Sum256(binary.BigEndian.AppendUint32(print[:], uint32(i))))
		n.limit = max(entriesPerLane, 2*n.AtLeast)
		p.nodes = append(p.nodes, n)
	}
	for of, n := range done {
		n.uses = uses[of]
	}
	for _, n := range slices.Backward(nodes) {
		n.up = n.fieldsAbove()
		for operand := range operands(n.Match) {
			n.noted = append(n.noted, n.fieldsNoted(operand))
		}
		if n.Op == playbook.OpAbsent {
			n.expect = leafTypes(b.Playbook, n.Of[1], nil)
		}
	}
	return uses
}

// byPrint gives the matches by what they wait for.
func (p *plan) byPrint() map[window.Key]*node {
	out := make(map[window.Key]*node, len(p.nodes))
	for _, n := range p.nodes {
		out[n.print] = n
	}
	return out
}

// operands are the signals of a match by their position; Until comes last.
func operands(m *playbook.Match) []int {
	if m.Until < 0 {
		return m.Of
	}
	return append(slices.Clone(m.Of), m.Until)
}

// fieldsAbove gives the fields that the matches further up read of the event
// which completes this one. Those have been visited.
func (n *node) fieldsAbove() [][]string {
	if n.root() {
		return [][]string{containerID, podUID}
	}
	var out [][]string
	add := func(paths ...[]string) {
		for _, p := range paths {
			if len(p) > 0 && !slices.ContainsFunc(out, func(o []string) bool { return slices.Equal(o, p) }) {
				out = append(out, p)
			}
		}
	}
	for _, u := range n.uses {
		add(u.node.by(u.operand)...)
		add(u.node.Field)
		add(u.node.up...)
	}
	return out
}

// by gives the fields that make the group of an operand's events.
func (n *node) by(operand int) [][]string {
	if operand >= len(n.By) {
		return nil
	}
	return n.By[operand]
}

// leafTypes collects the types of event that a signal is made of.
func leafTypes(p *playbook.Playbook, signal int, out []string) []string {
	s := &p.Signals[signal]
	if s.Match == nil {
		if !slices.Contains(out, s.Type) {
			out = append(out, s.Type)
		}
		return out
	}
	for _, of := range operands(s.Match) {
		out = leafTypes(p, of, out)
	}
	return out
}

// fingerprint tells whether another version of a playbook waits for the same.
func fingerprint(p *playbook.Playbook) [sha256.Size]byte {
	type signal struct {
		Name, Type, When string
		Match            *playbook.Match
	}
	all := struct {
		Name    string
		Signals []signal
		Match   playbook.Match
	}{Name: p.Name, Match: p.Match}
	for _, s := range p.Signals {
		one := signal{Name: s.Name, Type: s.Type, Match: s.Match}
		if s.When != nil {
			one.When = s.When.Text()
		}
		all.Signals = append(all.Signals, one)
	}
	raw, err := json.Marshal(all)
	if err != nil {
		raw = []byte(p.Name) // a factor that is no number, which the loader refuses
	}
	return sha256.Sum256(raw)
}

func cut(sum [sha256.Size]byte) window.Key {
	return window.Key{Hi: binary.BigEndian.Uint64(sum[:8]), Lo: binary.BigEndian.Uint64(sum[8:16])}
}

// urgency orders the playbooks that one event matches: what must be contained
// first does not wait behind what is only noted.
func urgency(p *playbook.Playbook) int {
	return slices.Index([]string{"low", "medium", "high", "critical"}, p.Severity)
}

// compareKeys orders windows in a way that no restart changes.
func compareKeys(a, b window.Key) int {
	return cmp.Or(cmp.Compare(a.Hi, b.Hi), cmp.Compare(a.Lo, b.Lo))
}
