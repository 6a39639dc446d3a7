package decode

import (
	"encoding/json"
	"unicode/utf8"

	"firebreak/schemas"
)

// An event that is larger than the log takes would be refused, and whoever pads
// a command line would so hide what it does. So the longest of what such an
// event holds is cut: of each text, and of each list, the beginning stays and a
// quarter as much of the end. In a text " … " stands for what is left out.

const (
	longest  = 64 << 10 // bytes that stay of the beginning at first
	shortest = 64       // and at last
	omission = " … "
)

// cuts are the steps that make an event smaller, tried until it is small
// enough; each is told how many bytes of a beginning stay.
func cuts(steps ...func(limit int)) []func() {
	var out []func()
	for limit := longest; limit >= shortest; limit /= 2 {
		for _, step := range steps {
			out = append(out, func() { step(limit) })
		}
	}
	return out
}

// cutTetragon gives the steps for an event of Tetragon, in which arguments may
// stand twice: those that process.command_args holds go out of tetragon.event.
func cutTetragon(p *schemas.Process, event *schemas.Tetragon) []func() {
	whole := func(limit int) {
		event.Event, _ = shortenMap(event.Event, limit)
	}
	if p == nil {
		return cuts(whole)
	}
	twice := func() {
		process, is := event.Event["process"].(map[string]any)
		if is && len(p.CommandArgs) > 1 {
			delete(process, "arguments")
		}
	}
	args := func(limit int) {
		var cut bool
		p.CommandArgs, cut = shortenArgs(p.CommandArgs, limit)
		p.CommandArgsCut = p.CommandArgsCut || cut
	}
	return append([]func(){twice}, cuts(args, whole)...)
}

// cutFalco gives the steps for an alert of Falco.
func cutFalco(p *schemas.ForeignProcess, alert *schemas.Falco) []func() {
	return cuts(func(limit int) {
		alert.Output, _ = shortenText(alert.Output, limit)
		alert.Message, _ = shortenText(alert.Message, limit)
		alert.OutputFields, _ = shortenMap(alert.OutputFields, limit)
		if p != nil {
			p.CommandArgs, _ = shortenArgs(p.CommandArgs, limit)
		}
	})
}

// shortenArgs cuts arguments as one: what stays of the beginning may end, and
// what stays of the end may begin, within one of them.
func shortenArgs(args []string, limit int) (short []string, cut bool) {
	size := 0
	for _, a := range args {
		size += sizeOf(a) + 1
	}
	if size <= limit+limit/4 {
		return args, false
	}
	first, left := 0, limit
	for ; left > sizeOf(args[first]); first++ {
		left -= sizeOf(args[first]) + 1
	}
	short = append(short, args[:first]...)
	at := beginning(args[first], left)
	begin := args[first][:at] + omission
	last, left := len(args)-1, limit/4
	for ; last > first && left > sizeOf(args[last]); last-- {
		left -= sizeOf(args[last]) + 1
	}
	from := ending(args[last], left)
	if last > first {
		short, begin = append(short, begin), omission
	} else {
		from = max(at, from)
	}
	end := args[last][from:]
	return append(append(short, begin+end), args[last+1:]...), true
}

// shorten cuts what encoding/json decoded, and says how many bytes the rest
// takes as JSON.
func shorten(v any, limit int) (short any, size int) {
	switch v := v.(type) {
	case string:
		return shortenText(v, limit)
	case json.Number:
		return v, len(v)
	case map[string]any:
		return shortenMap(v, limit)
	case []any:
		return shortenList(v, limit)
	default:
		return v, len("false")
	}
}

func shortenMap(m map[string]any, limit int) (short map[string]any, size int) {
	size = len("{}")
	for name, v := range m {
		inner, n := shorten(v, limit)
		m[name] = inner
		size += sizeOf(name) + n + 2
	}
	return m, size
}

func shortenList(list []any, limit int) (short []any, size int) {
	sizes := make([]int, len(list))
	size = len("[]")
	for i := range list {
		list[i], sizes[i] = shorten(list[i], limit)
		sizes[i]++
		size += sizes[i]
	}
	if size <= limit+limit/4 || len(list) == 0 {
		return list, size
	}
	first, begin := 1, sizes[0] // one stays, however large
	for ; first < len(list) && begin+sizes[first] <= limit; first++ {
		begin += sizes[first]
	}
	last, end := len(list), 0
	for ; last > first && end+sizes[last-1] <= limit/4; last-- {
		end += sizes[last-1]
	}
	return append(list[:first:first], list[last:]...), len("[]") + begin + end
}

func shortenText(text string, limit int) (short string, size int) {
	if size = sizeOf(text); size <= limit+limit/4 {
		return text, size
	}
	short = text[:beginning(text, limit)] + omission + text[ending(text, limit/4):]
	return short, sizeOf(short)
}

// beginning says where so many bytes of JSON end that a text begins with.
func beginning(text string, limit int) int {
	for i, r := range text {
		if limit -= written(r); limit < 0 {
			return i
		}
	}
	return len(text)
}

// ending says where so many bytes of JSON begin that a text ends with.
func ending(text string, limit int) int {
	at := len(text)
	for at > 0 {
		r, n := utf8.DecodeLastRuneInString(text[:at])
		if limit -= written(r); limit < 0 {
			break
		}
		at -= n
	}
	return at
}

// sizeOf gives the bytes that a text takes as JSON, at most.
func sizeOf(text string) int {
	size := len(`""`)
	for _, r := range text {
		size += written(r)
	}
	return size
}

// written gives the bytes that a character takes as JSON, at most.
func written(r rune) int {
	switch {
	case r < ' ' || r == '<' || r == '>' || r == '&' || r == '\u2028' || r == '\u2029' || r == utf8.RuneError:
		return len(`\u0000`)
	case r == '"' || r == '\\':
		return 2
	default:
		return utf8.RuneLen(r)
	}
}
