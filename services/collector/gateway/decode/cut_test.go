package decode

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"firebreak/schemas"
)

// padded are events of tools in which a command line is longer than the log
// takes; what is looked for stands at its beginning and at its end.
func padded(size int) map[string]string {
	quoted := func(text string) string {
		raw, err := json.Marshal(text)
		if err != nil {
			panic(err) // a text
		}
		return string(raw)
	}
	exec := func(args, more string) string {
		return `{"process_exec":{"process":{"exec_id":"abc","pid":7,"uid":0,"binary":"/bin/sh","arguments":` + quoted(args) + `}` + more +
			`},"node_name":"n","time":"2026-03-04T05:06:07Z"}`
	}
	falco := func(fields string) string { return strings.Replace(alert, `{"a":1,"b":2}`, fields, 1) }
	long := func(filler string) string {
		return "evil-first " + strings.TrimSpace(strings.Repeat(filler, size/len(filler))) + " evil-last"
	}
	return map[string]string{
		"tetragon arguments":      exec(long("x"), ""),
		"tetragon many arguments": exec(long("a "), ""),
		"tetragon quotes":         exec(long(`" `), ""),
		"tetragon escapes":        exec(long("\x01<"), ""),
		"tetragon wide":           exec(long("😀"), ""),
		"tetragon parent":         exec("evil-first evil-last", `,"parent":{"pid":1,"binary":"/bin/sh","arguments":`+quoted(long("x"))+`}`),
		"tetragon hook": `{"process_kprobe":{"process":{"pid":7},"function_name":"f","args":[{"string_arg":` + quoted(long("x")) + `}]},` +
			`"node_name":"n","time":"2026-03-04T05:06:07Z"}`,
		"tetragon list":     exec("evil-first evil-last", `,"list":[1`+strings.Repeat(",1", size/2)+`]`),
		"falco cmdline":     falco(`{"proc.name":"sh","proc.cmdline":` + quoted(long("x")) + `}`),
		"falco args":        falco(`{"proc.name":"sh","proc.args":["evil-first"` + strings.Repeat(`,"a"`, size/4) + `,"evil-last"]}`),
		"falco output":      strings.Replace(alert, `"rule"`, `"output":`+quoted(long("\n"))+`,"rule"`, 1),
		"falco many fields": falco(`{"x":"evil-first evil-last"` + many(size) + `}`),
	}
}

// many are fields none of which is long.
func many(size int) string {
	var b strings.Builder
	for i := range 1000 {
		_, _ = fmt.Fprintf(&b, `,"k%d":%q`, i, strings.Repeat("x", size/1000)) // a builder takes everything
	}
	return b.String()
}

func TestPaddingHidesNothing(t *testing.T) {
	for _, tt := range []struct{ size, most, bound int }{
		{900_000, 0, DefaultMaxData},
		{2_000_000, 0, DefaultMaxData},
		{200_000, 100_000, 100_000},
	} {
		for name, in := range padded(tt.size) {
			t.Run(fmt.Sprintf("%s/%d", name, tt.size), func(t *testing.T) {
				tool, _, _ := strings.Cut(name, " ")
				o, whole := given, given
				o.MaxData, whole.MaxData = tt.most, 1<<30
				events, err := decoders[tool]([]byte(in), o)
				if err != nil || len(events) != 1 {
					t.Fatalf("%d events, error %v: want one event", len(events), err)
				}
				check(t, events, err)
				data := string(events[0].Data)
				first, last := strings.Contains(data, "evil-first"), strings.Contains(data, "evil-last")
				if len(data) > tt.bound || !first || !last {
					t.Errorf("%d bytes of at most %d, beginning: %v, end: %v", len(data), tt.bound, first, last)
				}
				// Of what is not too large for intake the id is the same, cut or not.
				if all, err := decoders[tool]([]byte(in), whole); err == nil && all[0].ID != events[0].ID {
					t.Errorf("id %s, and %s when it is whole", events[0].ID, all[0].ID)
				}
			})
		}
	}
}

func TestWhatIsCut(t *testing.T) {
	process := func(name string, size int) (p schemas.Process, arguments string, had bool) {
		t.Helper()
		events, err := Tetragon([]byte(padded(size)[name]), given)
		if err != nil {
			t.Fatal(err)
		}
		var d schemas.ProcessEvent
		if err := json.Unmarshal(events[0].Data, &d); err != nil {
			t.Fatal(err)
		}
		inner, _ := d.Tetragon.Event["process"].(map[string]any)
		if inner["binary"] != "/bin/sh" {
			t.Errorf("%s: what is not too long is kept: %v", name, inner["binary"])
		}
		arguments, had = inner["arguments"].(string)
		return *d.Process, arguments, had
	}
	// Arguments that fit once are kept once.
	p, _, had := process("tetragon arguments", 900_000)
	if had || p.CommandArgsCut || len(p.CommandArgs) != 4 || len(p.CommandArgs[2]) != 900_000 {
		t.Errorf("in tetragon.event too: %v, cut: %v, %d arguments", had, p.CommandArgsCut, len(p.CommandArgs))
	}
	// Those that do not are cut in the middle.
	p, _, had = process("tetragon many arguments", 2_000_000)
	n := 0
	for _, a := range p.CommandArgs {
		n += len(a) + 3
	}
	if had || !p.CommandArgsCut || n < 80<<10-64 || n > 81<<10 {
		t.Errorf("in tetragon.event too: %v, cut: %v, %d bytes", had, p.CommandArgsCut, n)
	}
	if last := p.CommandArgs[len(p.CommandArgs)-1]; p.CommandArgs[1] != "evil-first" || last != "evil-last" {
		t.Errorf("begins with %q, ends with %q", p.CommandArgs[1], last)
	}
	p, _, _ = process("tetragon arguments", 2_000_000)
	if !p.CommandArgsCut || len(p.CommandArgs) != 4 || len(p.CommandArgs[2]) < 64<<10 {
		t.Errorf("cut: %v, %d arguments", p.CommandArgsCut, len(p.CommandArgs))
	}
	// Those that cannot be taken apart are in tetragon.event alone.
	p, arguments, _ := process("tetragon quotes", 2_000_000)
	if len(p.CommandArgs) != 1 || !p.CommandArgsCut || len(arguments) < 32<<10 || !strings.Contains(arguments, omission) {
		t.Errorf("%d arguments, cut: %v, %d bytes in tetragon.event", len(p.CommandArgs), p.CommandArgsCut, len(arguments))
	}
}

// FuzzCut holds what is cut to its bounds, whatever the text.
func FuzzCut(f *testing.F) {
	for _, text := range []string{"", "a", "a b c d", strings.Repeat("ab ", 100), strings.Repeat("😀<\x00", 50), "\xff\xfe" + strings.Repeat("\"", 99)} {
		f.Add(text, 64)
		f.Add(text, 1)
	}
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = 1 + (limit&0xffff)%4096
		size := func(v any) int {
			raw, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			return len(raw)
		}
		most := limit + limit/4 + 2*len(`" … "`)
		if short, n := shortenText(text, limit); size(short) > most || size(short) > n {
			t.Errorf("%d bytes, said to be %d, with a limit of %d", size(short), n, limit)
		}
		args := strings.Split(text, " ")
		short, cut := shortenArgs(args, limit)
		if size(short) > most+8 || cut != (len(short) != len(args) || size(short) != size(args) || strings.Join(short, " ") != text) {
			t.Errorf("%d bytes, cut: %v, with a limit of %d", size(short), cut, limit)
		}
		list := []any{}
		for _, a := range args {
			list = append(list, map[string]any{"a": a})
		}
		if short, n := shortenList(list, limit); size(short) > n+2 || len(short) == 0 {
			t.Errorf("list of %d bytes, said to be %d", size(short), n)
		}
	})
}
