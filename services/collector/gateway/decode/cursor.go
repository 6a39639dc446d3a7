package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// cursor walks over the envelope of a CloudEvent. The envelope is small and
// flat and checked as it is read; the data in it is only stepped over, for it
// is checked by package intake.
type cursor struct {
	data []byte
	at   int
}

// object reads the one object that data is, and hands on its members to be
// taken. (To parts, not to a function: then nothing of it needs the heap.)
func (c *cursor) object(p *parts) error {
	c.space()
	if !c.take('{') {
		return invalid("byte %d: want an object", c.at)
	}
	c.space()
	for first := true; !c.take('}'); first = false {
		if !first {
			if !c.take(',') {
				return invalid("byte %d: want , or }", c.at)
			}
			c.space()
		}
		at := c.at
		name, escaped, err := c.quoted()
		if err != nil {
			return err
		}
		if escaped {
			return invalid("byte %d: the name of an attribute has an escape in it", at)
		}
		c.space()
		if !c.take(':') {
			return invalid("byte %d: want :", c.at)
		}
		c.space()
		if err := p.member(name, c); err != nil {
			return err
		}
		c.space()
	}
	if c.space(); c.at != len(c.data) {
		return invalid("byte %d: there is more behind the end of the event", c.at)
	}
	return nil
}

func (c *cursor) space() {
	for c.at < len(c.data) {
		switch c.data[c.at] {
		case ' ', '\t', '\r', '\n':
			c.at++
		default:
			return
		}
	}
}

func (c *cursor) take(b byte) bool {
	if c.at < len(c.data) && c.data[c.at] == b {
		c.at++
		return true
	}
	return false
}

// word takes a literal.
func (c *cursor) word(w string) bool {
	if rest := c.data[c.at:]; len(rest) >= len(w) && string(rest[:len(w)]) == w {
		c.at += len(w)
		return true
	}
	return false
}

// quoted takes a string and gives what is between the quotes.
func (c *cursor) quoted() (inside []byte, escaped bool, err error) {
	from := c.at + 1
	if !c.take('"') {
		return nil, false, invalid("byte %d: want a text in quotes", c.at)
	}
	ascii := true
	for ; c.at < len(c.data); c.at++ {
		switch b := c.data[c.at]; {
		case b == '"':
			inside = c.data[from:c.at]
			c.at++
			if !ascii && !utf8.Valid(inside) {
				return nil, false, invalid("byte %d: the text is not UTF-8", from)
			}
			return inside, escaped, nil
		case b == '\\':
			escaped = true
			c.at++ // whatever follows does not end the text
		case b < ' ':
			return nil, false, invalid("byte %d: a control character in a text", c.at)
		case b >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, false, invalid("byte %d: the text does not end", from)
}

// bytes takes a string and decodes it. The result may be a part of the input.
func (c *cursor) bytes(name []byte) ([]byte, error) {
	from := c.at
	inside, escaped, err := c.quoted()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if !escaped {
		return inside, nil
	}
	var text string
	if err := json.Unmarshal(c.data[from:c.at], &text); err != nil {
		return nil, invalid("%s: %s", name, err)
	}
	// Half a surrogate pair: readers differ on what it means.
	if strings.ContainsRune(text, utf8.RuneError) {
		return nil, invalid("%s: a broken character", name)
	}
	return []byte(text), nil
}

// text is bytes as a copy.
func (c *cursor) text(name []byte) (string, error) {
	b, err := c.bytes(name)
	return string(b), err
}

// scalar takes the value of an extension attribute: a text, a whole number of
// 32 bits, or a truth value; null means that it is not there.
func (c *cursor) scalar(name []byte) error {
	if c.at < len(c.data) && c.data[c.at] == '"' {
		_, err := c.bytes(name)
		return err
	}
	if c.word("true") || c.word("false") || c.word("null") {
		return nil
	}
	from := c.at
	for c.at < len(c.data) && (c.data[c.at] == '-' || c.data[c.at] >= '0' && c.data[c.at] <= '9') {
		c.at++
	}
	digits := string(c.data[from:c.at])
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || strconv.FormatInt(n, 10) != digits {
		return invalid("%s: want a text, a whole number of 32 bits, true or false", name)
	}
	return nil
}

// nested steps over an object. Where its braces match is where it ends if it is
// JSON at all; intake sees to that.
func (c *cursor) nested() ([]byte, error) {
	from := c.at
	if c.at == len(c.data) || c.data[c.at] != '{' {
		return nil, invalid("data is no object")
	}
	for depth := 0; c.at < len(c.data); {
		switch b := c.data[c.at]; b {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				c.at++
				return c.data[from:c.at], nil
			}
		case '"':
			if err := c.pass(); err != nil {
				return nil, err
			}
			continue
		}
		c.at++
	}
	return nil, invalid("byte %d: data does not end", from)
}

// pass steps over a string without looking at it.
func (c *cursor) pass() error {
	from := c.at
	for c.at++; ; {
		next := bytes.IndexByte(c.data[c.at:], '"')
		if next < 0 {
			return invalid("byte %d: the text does not end", from)
		}
		c.at += next + 1
		slashes := 0
		for i := c.at - 2; c.data[i] == '\\'; i-- {
			slashes++
		}
		if slashes%2 == 0 {
			return nil
		}
	}
}
