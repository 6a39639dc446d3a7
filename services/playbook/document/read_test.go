package document

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLocate(t *testing.T) {
	t.Parallel()
	const start = "apiVersion: firebreak/v1\nkind: Playbook\nmetadata: {name: a, summary: b, arena: host, severity: low}\nthen: [{do: e}]\n"
	for _, tt := range []struct {
		name, when, target string
	}{
		{"plain", `when: a && HERE`, "HERE"},
		{"plain over lines", "when: a\n      &&\n      HERE", "HERE"},
		{"single quotes", `when: 'a == ''b'' && HERE'`, "HERE"},
		{"double quotes", `when: "a == \"b\" && HERE"`, "HERE"},
		{"double quotes over lines", "when: \"a &&\n      HERE\"", "HERE"},
		{"literal", "when: |\n      a &&\n        HERE", "HERE"},
		{"literal with an empty line", "when: |-\n\n      a &&\n\n      HERE", "HERE"},
		{"folded", "when: >-\n      a &&\n      b &&\n      HERE", "HERE"},
		{"more than ASCII", `when: 'a == "ü…" && HERE'`, "HERE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := start + "on:\n  s:\n    type: x\n    " + tt.when + "\n"
			p, problems := Read([]byte(text))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			when := p.On.List[0].When
			before := when.Value[:strings.Index(when.Value, tt.target)]
			line := 1 + strings.Count(before, "\n")
			column := 1 + len([]rune(before[strings.LastIndexByte(before, '\n')+1:]))
			got := when.Locate(line, column)

			before = text[:strings.Index(text, tt.target)]
			want := Place{Line: 1 + strings.Count(before, "\n"), Column: 1 + len([]rune(before[strings.LastIndexByte(before, '\n')+1:]))}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("place (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLocateOfWhatCannotBeFollowed(t *testing.T) {
	t.Parallel()
	p, problems := Read([]byte("metadata: {name: \"\\x41bc\"}\n"))
	if len(problems) == 0 {
		t.Fatal("a playbook without its keys has no problem")
	}
	if diff := cmp.Diff(Place{Line: 1, Column: 18}, p.Metadata.Name.Locate(1, 3)); diff != "" {
		t.Errorf("place (-want +got):\n%s", diff)
	}
}

func TestDataKeepsPlaces(t *testing.T) {
	t.Parallel()
	p, _ := Read([]byte("then:\n  - do: a\n    with:\n      a/b: [1, {c: ~}, 2026-11-26, 0x10]\n"))
	with := p.Then[0].With
	if diff := cmp.Diff(`{"a/b":[1,{"c":null},"2026-11-26",16]}`, string(with.JSON)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	for pointer, want := range map[string]Place{
		"":            {Line: 4, Column: 7},
		"/a~1b":       {Line: 4, Column: 12},
		"/a~1b/1/c":   {Line: 4, Column: 20},
		"/a~1b/1/d/e": {Line: 4, Column: 16},
	} {
		if diff := cmp.Diff(want, with.Place(pointer)); diff != "" {
			t.Errorf("place of %q (-want +got):\n%s", pointer, diff)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("apiVersion: firebreak/v1\non: {a: {type: b, when: >-\n  c\n  d}}\nthen: [{do: e, with: {f: [1, .nan, ~]}}]\n"))
	f.Add([]byte("? [a]\n: b\n"))
	f.Add([]byte("on: {a: {count: {of: b, atLeast: 3}, by: {b: [c, d]}, within: 1m}, b: {baseline: {of: a, field: x, factor: 1.5, over: 1h}}, c: {type: x, any: [a]}}\nmatch: {sequence: [a, b], until: c, absent: {after: a, expect: b}}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, problems := Read(data)
		if p == nil && len(problems) == 0 {
			t.Error("neither a playbook nor a problem")
		}
		if p == nil {
			return
		}
		for _, s := range p.On.List {
			if s.When != nil {
				for column := range 20 {
					if at := s.When.Locate(1, column+1); at.Line < 1 || at.Column < 1 {
						t.Errorf("place %v", at)
					}
				}
			}
		}
	})
}
