package decode

import (
	"bytes"
	"unicode/utf8"
)

// What is left of long texts and lists when an event is too large without its
// objects.
const (
	maxText = 256
	maxList = 32
)

// shorten cuts all members short that are long, and leaves out what can be of
// any shape.
func (c *call) shorten() error {
	c.cut, c.brief = true, true
	c.audit[authenticationMetadata] = nil
	for m := range written {
		c.audit[m] = short(c.audit[m], 0)
	}
	for _, v := range []*raw{&c.around.cluster, &c.around.namespace, &c.around.pod, &c.around.account, &c.around.uid} {
		*v = short(*v, 0)
	}
	return c.read()
}

// short gives a value with its long texts and lists cut short, and its texts
// written anew: half of a surrogate pair becomes U+FFFD. Of what an audit
// event holds nothing of worth lies deeper than three levels.
func short(v raw, depth int) raw {
	switch {
	case v.text() && (len(v) > maxText || bytes.IndexByte(v, '\\') >= 0):
		return quoted(clip(v.string(), maxText))
	case v.array():
		b, n := []byte{'['}, 0
		items(v, func(of raw) {
			if n++; n > maxList || depth > 3 {
				return
			}
			if len(b) > 1 {
				b = append(b, ',')
			}
			b = append(b, short(of, depth+1)...)
		})
		return append(b, ']')
	case v.object():
		b, n := []byte{'{'}, 0
		each(v, func(key []byte, of raw) {
			if n++; n > maxList || depth > 3 || len(key) > maxText {
				return
			}
			b = member(b, string(key), short(of, depth+1))
		})
		return append(b, '}')
	}
	return v
}

// clip cuts a text to at most n bytes of UTF-8.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// clipped is for texts in derived events: Kubernetes itself allows no longer
// names.
func clipped(s string) string { return clip(s, maxAttribute) }
