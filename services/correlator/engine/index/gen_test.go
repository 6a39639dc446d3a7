package index_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"firebreak/schemas"
)

// source draws conditions and events that meet each other often.
type source struct {
	*rand.Rand
	fields
}

func (s source) n(most int) int { return s.IntN(most) }

func (s source) of(list ...string) string { return list[s.n(len(list))] }

// one says yes once in n times.
func (s source) one(n int) bool { return s.n(n) == 0 }

// fields of an event type, by what its schema says they hold.
type fields struct {
	typ                                                        string
	texts, wholes, parts, flags, lists, maps, objects, unknown []string
	tree                                                       map[string]any
}

const eventType = schemas.ProcessStarted

// types are written out, so that what is tested does not follow from what is
// tested with.
var types = []fields{
	{
		typ: eventType,
		texts: []string{
			"host.name", "k8s.namespace.name", `k8s.namespace.labels["a.b/c"]`, "k8s.namespace.labels.app", `k8s.pod.labels["é"]`,
			"container.id", "container.image.name", "process.executable.name", "process.executable.path", "process.executable.origin", "user.id",
			"process.command_args[0]", "process.parent.executable.name", `container.labels["\n"]`,
		},
		wholes:  []string{"process.pid", "container.exit.code", "container.memory.usage", "process.parent.pid"},
		parts:   []string{"container.cpu.utilization"},
		flags:   []string{"container.sandbox", "process.command_args_cut"},
		lists:   []string{"process.command_args", "user.groups"},
		maps:    []string{"container.labels", "k8s.namespace.labels", "tetragon.event"},
		objects: []string{"container", "process.executable", "k8s.pod", "tetragon", "user"},
		unknown: []string{`tetragon.event["x"]`, "tetragon.event.x", "tetragon.event.y.z", `tetragon.event["a.b/c"]`, "tetragon.event.list[0]", "tetragon.event"},
		tree:    processTree,
	},
	{
		typ:     schemas.FalcoRule,
		texts:   []string{"falco.rule", "falco.priority", "falco.tags[1]", "host.name", "container.id", "falco.time", "k8s.pod.name"},
		wholes:  []string{"process.pid"},
		parts:   []string{"container.cpu.utilization"},
		flags:   []string{"container.sandbox"},
		lists:   []string{"falco.tags"},
		maps:    []string{"falco.output_fields"},
		objects: []string{"falco", "process", "process.executable", "container"},
		unknown: []string{`falco.output_fields["proc.name"]`, "falco.output_fields.x", "falco.output_fields.proc.name", `falco.output_fields["evt.time"]`, `falco.output_fields["list"]`},
		tree:    falcoTree,
	},
	{
		typ:     schemas.APICalled,
		texts:   []string{"audit.verb", "audit.objectRef.resource", "user.name", "client.address", `audit.annotations["a.b/c"]`, "audit.sourceIPs[0]", `audit.user.extra["x"][0]`, "caller.pod.name"},
		wholes:  []string{"audit.responseStatus.code", "client.port"},
		parts:   []string{"audit.responseStatus.code"},
		flags:   []string{"audit.cut"},
		lists:   []string{"audit.sourceIPs", "user.groups", "audit.user.groups"},
		maps:    []string{"audit.annotations", "audit.user.extra"},
		objects: []string{"audit", "audit.objectRef", "client", "audit.requestObject", "caller.pod"},
		unknown: []string{"audit.requestObject", "audit.requestObject.spec.x", `audit.requestObject["spec"].list[0]`, "audit.responseObject.kind", "audit.requestObject.spec.list"},
		tree:    auditTree,
	},
}

var words = []string{"", "a", "ab", "abc", "/tmp", "/tmp/x", "é", "😀", "A\n", "x\"y", `\`, `\u0061`, "\ufffd", "upper", "0", "abcd", "x/tmp/x", "x<y>z&abc", "A\nabc", `q"abcd`, "ABC", "é abc"}

var numerals = []string{
	"0", "-0", "1", "1.0", "1e0", "10e-1", "2", "2.5", "-1", "100", "1e2", "0.1e3", "9007199254740992", "9007199254740993",
	"9223372036854775807", "9223372036854775808", "18446744073709551615", "1e19", "1e308", "1e-400", "0.1", "3",
}

func (s source) text() string { return words[s.n(len(words))] }

func (s source) field() string {
	groups := [][]string{s.texts, s.texts, s.texts, s.wholes, s.parts, s.flags, s.lists, s.maps, s.objects, s.unknown, s.unknown}
	return s.of(groups[s.n(len(groups))]...)
}

// optional makes some dots optional, the last of them surely.
func (s source) optional(path string) string {
	if strings.HasSuffix(path, "]") {
		at := strings.LastIndex(path, "[")
		return s.loosen(path[:at]) + "[?" + path[at+1:]
	}
	at := strings.LastIndex(path, ".")
	if at < 0 {
		return path
	}
	return s.loosen(path[:at]) + ".?" + path[at+1:]
}

func (s source) loosen(path string) string {
	if at := strings.LastIndex(path, "."); at >= 0 && s.one(3) && !strings.HasSuffix(path, "]") {
		return path[:at] + ".?" + path[at+1:]
	}
	return path
}

func (s source) literal() string {
	switch s.n(8) {
	case 0:
		return s.of("true", "false")
	case 1, 2:
		return s.numeral()
	case 3:
		return s.of("1u", "100u", "[]", `["a"]`, `{"a": 1}`, "1.0/0.0", `"a" + "b"`)
	default:
		return strconv.Quote(s.text())
	}
}

func (s source) numeral() string {
	return s.of("0", "1", "1.0", "2", "2.5", "-1", "100", "9007199254740993", "9007199254740992", "9007199254740992.0", "9223372036854775807", "1e19", "-0.0", "0.1", "3.0")
}

// operand is a field, or a field with something in its place.
func (s source) operand(path, fallback string) string {
	if s.one(4) {
		return s.optional(path) + ".orValue(" + fallback + ")"
	}
	return path
}

func (s source) condition(depth int) string {
	if depth > 0 && !s.one(3) {
		switch s.n(9) {
		case 0, 1, 2:
			return "(" + s.condition(depth-1) + " && " + s.condition(depth-1) + ")"
		case 3, 4, 5:
			return "(" + s.condition(depth-1) + " || " + s.condition(depth-1) + ")"
		case 6, 7:
			return "!(" + s.condition(depth-1) + ")"
		default:
			return "(" + s.condition(depth-1) + " ? " + s.condition(depth-1) + " : " + s.condition(depth-1) + ")"
		}
	}
	return s.leaf()
}

func (s source) leaf() string {
	switch s.n(16) {
	case 0:
		return "has(" + s.of(s.field(), s.optional(s.field())) + ")"
	case 1:
		return s.optional(s.field()) + ".hasValue()"
	case 2, 3:
		x := s.operand(s.textual(), strconv.Quote(s.text()))
		return s.swap(x, s.of("==", "==", "!="), strconv.Quote(s.text()))
	case 4:
		return s.swap(s.operand(s.field(), s.literal()), s.of("==", "!="), s.literal())
	case 5:
		return s.operand(s.textual(), strconv.Quote(s.text())) + " in " + s.listOf(func() string { return strconv.Quote(s.text()) })
	case 6:
		return s.operand(s.field(), s.literal()) + " in " + s.listOf(s.literal)
	case 7:
		x := s.operand(s.textual(), strconv.Quote(s.text()))
		return x + "." + s.of("startsWith", "startsWith", "endsWith", "contains") + "(" + strconv.Quote(s.text()) + ")"
	case 8:
		x := s.operand(s.textual(), strconv.Quote(s.text()))
		return s.matches(x)
	case 9:
		return "glob(" + s.operand(s.textual(), strconv.Quote(s.text())) + ", " + strconv.Quote(s.of("*", "a*", "/tmp/*", "/tmp/**", "?", "é?", "ab", "a\x00b")) + ")"
	case 10, 11:
		return s.swap(s.operand(s.numeric(), s.numeral()), s.of("<", "<=", ">", ">=", "==", "!="), s.numeral())
	case 12:
		return s.operand(s.of(s.of(s.flags...), s.of(s.unknown...)), s.of("true", "false"))
	case 13:
		return s.swap(s.operand(s.of(s.flags...), s.of("true", "false")), s.of("==", "!="), s.of("true", "false"))
	case 14:
		return s.loop()
	default:
		return s.odd()
	}
}

func (s source) textual() string { return s.of(s.of(s.texts...), s.of(s.texts...), s.of(s.unknown...)) }

func (s source) numeric() string {
	return s.of(s.of(s.wholes...), s.of(s.parts...), s.of(s.unknown...), "size("+s.of(s.lists...)+")", s.of(s.wholes...)+" * 2")
}

func (s source) swap(a, op, b string) string {
	if s.one(3) {
		a, b = b, a
	}
	return a + " " + op + " " + b
}

func (s source) listOf(one func() string) string {
	most := 4
	if s.one(6) {
		most = 16
	}
	members := make([]string, s.n(most))
	for i := range members {
		members[i] = one()
	}
	return "[" + strings.Join(members, ", ") + "]"
}

func (s source) matches(x string) string {
	pattern := s.of("^a", "^ab?c", "^(a|/tmp)", "a", "^a|^b", "^a|b", "(?i)^A", "^[a-c]b", "^(?:ab|ac)$", "^$", "^(a|)", "^/tmp/.*", "(?m)^a",
		"^\u00e9", "^a+b", "^(a*)b", "^.", `\Aab`, "^(^a)b", "(^a)b|^/", "^a{2}", "^a{0,1}b", "^(?i:a)b", "(?s)^a.", "^\ufffd", "^[^a]")
	if s.one(2) {
		return "matches(" + x + ", " + strconv.Quote(pattern) + ")"
	}
	return x + ".matches(" + strconv.Quote(pattern) + ")"
}

func (s source) loop() string {
	list := s.operand(s.of(s.of(s.lists...), s.unknown[len(s.unknown)-1]), s.of("[]", "[]", `["abc"]`))
	if s.one(2) {
		return list + s.of(".exists(i, ", ".exists(i, ", ".exists(i, ", ".exists_one(i, ", ".all(i, ") + s.entry(2) + ")"
	}
	return list + fmt.Sprintf(s.of(".exists(i, i == %s)", ".all(i, i != %s)", ".exists_one(i, i == %s)", ".exists(i, i.startsWith(%s))", ".filter(i, i == %s).size() > 0"), strconv.Quote(s.text()))
}

// entry is a condition on an entry of a list.
func (s source) entry(depth int) string {
	if depth > 0 && s.one(2) {
		return s.of("", "", "", "!") + "(" + s.entry(depth-1) + s.of(" && ", " || ") + s.entry(depth-1) + ")"
	}
	switch s.n(6) {
	case 0:
		return s.swap("i", s.of("==", "==", "!="), strconv.Quote(s.text()))
	case 1:
		return "i in " + s.listOf(func() string { return strconv.Quote(s.text()) })
	case 2:
		return "size(i) > " + s.of("0", "2", "3")
	case 3:
		return "i." + s.of("contains", "startsWith", "endsWith") + "(" + strconv.Quote(s.of("abc", "bcd", "tmp", "/tmp", "/tmp/x", "x<y", "<y>z&abc", "upper", `q"abc`, "é abc", "A\nabc", s.text())) + ")"
	default:
		return "i.matches(" + strconv.Quote(s.of(
			"abc", "^abc$", "(?i)ABC", "a(?i:B)c", "abc|upper", "^/tmp/(x|abc)", "(abc|/tmp/x)+", "(abc)*", "(abc){0,2}x", "(abcd?){1,2}", "abc?", "a[bx]c", "ab|tmp|upper",
			`abc\b`, `[^a]bcd`, "(?s)a.*bcd", `\x61bc`, `\Qa.bc\E`, "upp(er|ex)", "^(|abc)$", "x<y|abc", "\n*abc", ".")) + ")"
	}
}

// odd are the rarer forms.
func (s source) odd() string {
	a, b := s.textual(), s.textual()
	switch s.n(12) {
	case 0:
		return strconv.Quote(s.of("app", "a.b/c", "x", "y")) + " in " + s.of(s.maps...)
	case 1:
		return strconv.Quote(s.text()) + " in " + s.operand(s.of(s.lists...), "[]")
	case 2:
		return a + s.of(" == ", " != ") + b
	case 3:
		return a + " + " + b + " == " + strconv.Quote(s.text())
	case 4:
		return s.optional(a) + ".optMap(v, v == " + strconv.Quote(s.text()) + ").orValue(" + s.of("true", "false") + ")"
	case 5:
		return s.optional(a) + ".or(" + s.optional(b) + ").orValue(\"\") == " + strconv.Quote(s.text())
	case 6:
		return "size(" + s.operand(a, `""`) + ") > 1"
	case 7:
		return s.of("true", "false")
	case 8:
		return "type(" + s.field() + ") == " + s.of("string", "int", "double", "bool", "map")
	case 9:
		return s.of(s.maps...) + "[" + a + "] == " + strconv.Quote(s.text())
	case 10:
		return "(" + s.condition(1) + " ? " + a + " : " + b + ") == " + strconv.Quote(s.text())
	default:
		return s.optional(a) + ".value() == " + strconv.Quote(s.text())
	}
}
