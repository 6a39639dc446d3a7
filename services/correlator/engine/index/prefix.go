package index

import (
	"bytes"
	"slices"
)

// prefixes are the texts that values may begin with, sorted.
type prefixes struct {
	list []prefix
}

type prefix struct {
	text       []byte
	conditions []filed
	shorter    int // the longest other one that this one begins with; -1: none
}

func (p *prefixes) add(text string, condition filed) {
	at, known := slices.BinarySearchFunc(p.list, []byte(text), func(one prefix, text []byte) int { return bytes.Compare(one.text, text) })
	if !known {
		p.list = slices.Insert(p.list, at, prefix{text: []byte(text)})
	}
	p.list[at].conditions = append(p.list[at].conditions, condition)
}

// link finds for each one the next shorter: what begins with a text stands
// behind it, with nothing in between that does not.
func (p *prefixes) link() {
	var open []int // each begins with the one before
	for i := range p.list {
		for len(open) > 0 && !bytes.HasPrefix(p.list[i].text, p.list[open[len(open)-1]].text) {
			open = open[:len(open)-1]
		}
		p.list[i].shorter = -1
		if len(open) > 0 {
			p.list[i].shorter = open[len(open)-1]
		}
		open = append(open, i)
	}
}

// longest gives the longest one that the text begins with; -1: none.
func (p *prefixes) longest(text []byte) int {
	at, known := slices.BinarySearchFunc(p.list, text, func(one prefix, text []byte) int { return bytes.Compare(one.text, text) })
	if !known {
		at--
	}
	for at >= 0 && !bytes.HasPrefix(text, p.list[at].text) {
		at = p.list[at].shorter
	}
	return at
}
