package document

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// messy is a playbook as hurried people leave it.
const messy = `# yaml-language-server: $schema=../schemas/playbook.schema.json

# About it.
kind: Playbook
apiVersion: firebreak/v1


metadata:
    severity: critical              # low | medium
    name: miner-in-container        # the same name
    # why
    summary: A coin miner
      runs on
      two lines
    arena: runtime
    attack: [T1496.001,T1059]
then:
- for: 4h
  # do it
  do: container.pause
  onFailure:
      # inner
      - with: {text: "paused ${signals.start.container.id}", to: x}
        do: notify.log
  # trailing of the first
# about the second
- do: evidence.capture
- {with: {text: "a, b"}, do: notify.log}
- do: notify.log
  with:
      text: >-
         a
           b

         c
      # below text
on:
   start:
      when: >-
          has(process.executable.name)
            && process.executable.name in ["xmrig", "minerd"]
          # this is text
      type: runtime.process.started
   stop: {when: "a == \"x\"", type: x}   # comment
   many: {within: 1m, by: [user.name,host.name], count: { atLeast: 3 , of: stop }}
match: { by: container.id , any: [start,stop,many] }
# the end
`

const tidied = `# yaml-language-server: $schema=../schemas/playbook.schema.json

# About it.
apiVersion: firebreak/v1
kind: Playbook

metadata:
  name: miner-in-container        # the same name
  # why
  summary: A coin miner
    runs on
    two lines
  arena: runtime
  severity: critical              # low | medium
  attack: [T1496.001, T1059]
on:
  start:
    type: runtime.process.started
    when: >-
      has(process.executable.name)
        && process.executable.name in ["xmrig", "minerd"]
      # this is text
  stop: {type: x, when: "a == \"x\""}   # comment
  many: {count: {of: stop, atLeast: 3}, by: [user.name, host.name], within: 1m}
match: {any: [start, stop, many], by: container.id}
then:
  # do it
  - do: container.pause
    for: 4h
    onFailure:
      # inner
      - do: notify.log
        with: {text: "paused ${signals.start.container.id}", to: x}
    # trailing of the first
  # about the second
  - do: evidence.capture
  - {do: notify.log, with: {text: "a, b"}}
  - do: notify.log
    with:
      text: >-
        a
          b

        c
      # below text
# the end
`

const minimal = "apiVersion: firebreak/v1\nkind: Playbook\nmetadata: {name: a, summary: b, arena: host, severity: low}\non:\n  s: {type: x}\n"

func TestFormat(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"messy", messy, tidied},
		{"tidy", tidied, tidied},
		{"line ends of Windows", strings.ReplaceAll(messy, "\n", "\r\n"), tidied},
		{"a mark of the order of bytes", "\ufeff" + messy, tidied},
		{"a literal block", minimal + "then:\n    - with:\n        text: |\n            a\n              b\n\n            c\n      do: e\n", minimal + "then:\n  - do: e\n    with:\n      text: |\n        a\n          b\n\n        c\n"},
		{"a block with an indication", minimal + "then:\n- do: e\n  with:\n    text: |2\n         a\n        b\n", minimal + "then:\n  - do: e\n    with:\n      text: |2\n           a\n          b\n"},
		{"quotes over lines", minimal + "then:\n- when: \"a &&\n      b # no comment\"\n  do: e\n", minimal + "then:\n  - do: e\n    when: \"a &&\n        b # no comment\"\n"},
		{"a value below its key", minimal + "then:\n  - do:\n      e\n", minimal + "then:\n  - do:\n      e\n"},
		{"a flow over lines", minimal + "then: [\n  {do: e},\n  # more\n  {do: f}\n]\n", minimal + "then: [\n  {do: e},\n  # more\n  {do: f}\n]\n"},
		{"a start of a document", "---\n" + minimal + "then: [{do: e}]\n", "---\n" + minimal + "then: [{do: e}]\n"},
		{"parameters keep their order", minimal + "then:\n- do: e\n  with:\n     z: 1\n     a: [1,2]\n     m: {b: 1,a: 2}\n", minimal + "then:\n  - do: e\n    with:\n      z: 1\n      a: [1, 2]\n      m: {b: 1, a: 2}\n"},
		{"a comment behind a key", minimal + "then:   # now\n- do: e   # at once\n", minimal + "then:   # now\n  - do: e   # at once\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, problems := Format([]byte(tt.text))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("formatted (-want +got):\n%s", diff)
			}
			if again, _ := Format(got); string(again) != string(got) {
				t.Errorf("formatted again it differs:\n%s", cmp.Diff(string(got), string(again)))
			}
		})
	}
}

func TestFormatLeavesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "a: b: c\n", minimal, minimal + "then: [{do: e, zebra: 1}]\n", minimal + "then:\r- do: e\n", minimal + "then:\n- - do: e\n"} {
		got, problems := Format([]byte(text))
		if string(got) != text || len(problems) == 0 {
			t.Errorf("%q became %q with %v", text, got, problems)
		}
	}
}

// TestFormatProperty: however keys are ordered, indented and commented, they
// come out the same, all comments are there, and once is enough.
func TestFormatProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		text, comments := drawPlaybook(rt)
		got, problems := Format([]byte(text))
		if len(problems) > 0 {
			rt.Fatalf("%v\n%s", problems, text)
		}
		for _, c := range comments {
			if strings.Count(string(got), c) != 1 {
				rt.Fatalf("the comment %q is there %d times:\n%s\nof\n%s", c, strings.Count(string(got), c), got, text)
			}
		}
		if again, _ := Format(got); string(again) != string(got) {
			rt.Fatalf("formatted again it differs:\n%s\nof\n%s", cmp.Diff(string(got), string(again)), text)
		}
		if !same([]byte(text), got) {
			rt.Fatalf("it means something else:\n%s\nof\n%s", got, text)
		}
	})
}

// drawPlaybook writes a playbook in some form.
func drawPlaybook(rt *rapid.T) (text string, comments []string) {
	var out strings.Builder
	width := rapid.IntRange(1, 5).Draw(rt, "width")
	comment := func(indent int) {
		if !rapid.Bool().Draw(rt, "comment") {
			return
		}
		c := "# comment " + string(rune('a'+len(comments)%26)) + strings.Repeat("x", len(comments)) + "."
		comments = append(comments, c)
		out.WriteString(strings.Repeat(" ", indent) + c + "\n" + strings.Repeat("\n", rapid.IntRange(0, 2).Draw(rt, "empty")))
	}
	entries := func(indent int, first string, parts []func(indent int, prefix string)) {
		for i, part := range rapid.Permutation(parts).Draw(rt, "order") {
			prefix := strings.Repeat(" ", indent)
			if i == 0 && first != "" {
				prefix = first
			} else {
				comment(indent)
			}
			part(indent, prefix)
		}
	}
	line := func(text string) func(int, string) {
		return func(_ int, prefix string) { out.WriteString(prefix + text + "\n") }
	}
	block := func(key string, lines ...string) func(int, string) {
		return func(indent int, prefix string) {
			out.WriteString(prefix + key + "\n")
			for _, l := range lines {
				if l != "" {
					l = strings.Repeat(" ", indent+width) + l
				}
				out.WriteString(l + "\n")
			}
		}
	}
	within := func(key string, parts ...func(int, string)) func(int, string) {
		return func(indent int, prefix string) {
			out.WriteString(prefix + key + "\n")
			entries(indent+width, "", parts)
		}
	}
	step := func(indent int, parts ...func(int, string)) {
		comment(indent)
		entries(indent+2, strings.Repeat(" ", indent)+"- ", parts)
	}
	entries(0, "", []func(int, string){
		line("apiVersion: firebreak/v1"), line("kind: Playbook   # always"),
		within("metadata:", line("name: a"), line("summary: 'it''s'"), line("arena: host"), line("severity:  low")),
		within("on:", within("s:", line("type: x"), block("when: >-", "a", "  && b", "", "|| c"))),
		line("match: {by: a,   any: [s]}"),
		func(int, string) {
			out.WriteString("then:\n")
			indent := rapid.IntRange(0, 4).Draw(rt, "dashes")
			step(indent, line("do: e"), line("for: 1h"), within("with:", line("z: [1, 2]"), block("a: |", "x", " # no comment")))
			step(indent, line("do: f"), block("when: a", "&& b"))
		},
	})
	comment(0)
	return out.String(), comments
}

func FuzzFormat(f *testing.F) {
	f.Add([]byte(messy))
	f.Add([]byte(tidied))
	f.Add([]byte(minimal + "then:\n- - do: e\n"))
	f.Add([]byte(minimal + "then:\n- do: e\n  with: {? a : b}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, problems := Format(data)
		if len(problems) > 0 {
			if string(got) != string(data) {
				t.Errorf("changed, with the problems %v", problems)
			}
			return
		}
		again, problems := Format(got)
		if len(problems) > 0 || string(again) != string(got) {
			t.Errorf("formatted again it differs, %v:\n%q\n%q", problems, got, again)
		}
	})
}
