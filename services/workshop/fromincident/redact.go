package fromincident

import (
	"fmt"
	"net/netip"
	"strings"
)

// placeholders replaces what must not leave the house: the same by the same,
// throughout a file.
type placeholders struct {
	on    bool
	given map[string]map[string]string // by kind: what stands for what
}

func newPlaceholders(on bool) *placeholders {
	return &placeholders{on: on, given: map[string]map[string]string{}}
}

// name gives what stands for a text of a kind.
func (p *placeholders) name(kind, text, prefix string) string {
	return p.of(kind, text, func(n int) string { return fmt.Sprint(prefix, n) })
}

func (p *placeholders) of(kind, text string, write func(n int) string) string {
	if p.given[kind] == nil {
		p.given[kind] = map[string]string{}
	}
	if p.given[kind][text] == "" {
		p.given[kind][text] = write(len(p.given[kind]) + 1)
	}
	return p.given[kind][text]
}

// value replaces what is in a value, whose dotted path says what it is.
func (p *placeholders) value(path string, v any) any {
	if !p.on {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, e := range v {
			out[name] = p.value(strings.TrimPrefix(path+"."+name, "."), e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for n, e := range v {
			out[n] = p.value(path, e)
		}
		return out
	case string:
		return p.text(path, v)
	}
	return v
}

func (p *placeholders) text(path, s string) string {
	switch {
	case s == "":
		return s
	case ends(path, "command_args", "proc.args", "proc.aname", "arguments"):
		return p.name("argument", s, "arg-")
	case ends(path, "proc.cmdline", "proc.pcmdline", "cmdline", "falco.output", "evt.args"):
		return p.name("text", s, "text-")
	case ends(path, "user.name", "user.id", "user.uid", "user.loginname", "username", "login.key", "user_agent.original", "userAgent"):
		return p.name("user", s, "user-")
	}
	return p.address(s)
}

// address replaces an IP address by one that is for examples: a private one by
// a private one, so that a condition on ranges still holds.
func (p *placeholders) address(s string) string {
	ip, err := netip.ParseAddr(s)
	if err != nil {
		at, err := netip.ParseAddrPort(s)
		if err != nil {
			return s
		}
		return strings.Replace(s, at.Addr().String(), p.address(at.Addr().String()), 1)
	}
	switch {
	case ip.IsLoopback(), ip.IsUnspecified():
		return s
	case ip.Is4() && ip.IsPrivate():
		return p.of("private address", s, func(n int) string { return fmt.Sprintf("10.0.%d.%d", n>>8, n&255) })
	case ip.Is4():
		return p.of("address", s, func(n int) string { return fmt.Sprintf("198.18.%d.%d", n>>8, n&255) })
	case ip.IsPrivate():
		return p.of("private address 6", s, func(n int) string { return fmt.Sprintf("fd00::%x", n) })
	default:
		return p.of("address 6", s, func(n int) string { return fmt.Sprintf("2001:db8::%x", n) })
	}
}

// ends says whether a path ends in one of the names.
func ends(path string, names ...string) bool {
	for _, n := range names {
		if path == n || strings.HasSuffix(path, "."+n) {
			return true
		}
	}
	return false
}
