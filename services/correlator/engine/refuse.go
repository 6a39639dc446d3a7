package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"firebreak/schemas"
)

// maxQuoted bounds what a stranger wrote in our own events.
const maxQuoted = 200

// refuse tells of an event that playbooks wait for and that nobody can read
// in one way alone.
func (e *Engine) refuse(ev *schemas.Event, rules []int, why error) {
	e.failType(ev.Type, why)
	if e.Observe != nil {
		e.eachBook(rules, func(rule int) { e.observeLeaf(rule, Failed, why) })
	}
	from := ev.Writer
	if from == "" {
		from = ev.Source
	}
	e.reports.refusal(e, quoted(from), func(source string) *schemas.RefusedEvent {
		sum := sha256.Sum256(ev.Data)
		return &schemas.RefusedEvent{
			Source: source, ID: quoted(ev.ID), Type: quoted(ev.Type), Seq: ev.Seq, Reason: quoted(why.Error()),
			Size: len(ev.Data), Digest: "sha256:" + hex.EncodeToString(sum[:]),
		}
	})
}

func quoted(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxQuoted {
		return s
	}
	cut := maxQuoted
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
