package schemas

import (
	"fmt"
	"strings"
)

// Token makes any text one token of a NATS subject: every byte outside
// [A-Za-z0-9_-] becomes =XX (upper-case hex). The empty text becomes "=".
func Token(s string) string {
	if s == "" {
		return "="
	}
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "=%02X", c)
	}
	return b.String()
}

// Untoken takes [Token] back.
func Untoken(s string) (string, error) {
	if s == "=" {
		return "", nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '=' {
			b.WriteByte(s[i])
			continue
		}
		var c byte
		if i+2 >= len(s) {
			return "", fmt.Errorf("subject token %q: %w: cut escape", s, ErrInvalid)
		}
		if _, err := fmt.Sscanf(s[i+1:i+3], "%02X", &c); err != nil {
			return "", fmt.Errorf("subject token %q: %w: bad escape", s, ErrInvalid)
		}
		b.WriteByte(c)
		i += 2
	}
	return b.String(), nil
}

// EventSubject is where the events of a type by a writer are published:
// firebreak.events.<cluster>.<writer>.<type…>.
func EventSubject(cluster, writer, typ string) string {
	short, ours := strings.CutPrefix(typ, Prefix)
	tokens := strings.Split(short, ".")
	for i := range tokens {
		tokens[i] = Token(tokens[i])
	}
	prefix := ""
	if !ours {
		prefix = "foreign."
	}
	return "firebreak.events." + Token(cluster) + "." + Token(writer) + "." + prefix + strings.Join(tokens, ".")
}

// EventWriter gives the writer of an event's subject.
func EventWriter(subject string) (string, error) {
	t := strings.SplitN(subject, ".", 5)
	if len(t) < 5 || t[0] != "firebreak" || t[1] != "events" {
		return "", fmt.Errorf("subject %q: %w: not one of an event", subject, ErrInvalid)
	}
	return Untoken(t[3])
}

// NodePlace is the place of a node's responder.
func NodePlace(node string) string { return "node-" + node }

// Places besides the nodes.
const (
	PlaceCore   = "core"   // correlator and conductor
	PlacePeople = "people" // what people ask for
)

// NodeOf gives the node of a place, and false when the place is not a node.
func NodeOf(place string) (string, bool) { return strings.CutPrefix(place, "node-") }
