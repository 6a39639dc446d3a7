package text

import (
	"encoding/json"
	"strings"
	"testing"
)

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "/bin/sh", "a\n\x1b[0m", "\xff", "\ufffd", `{"base64":"AA=="}`, "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := json.Marshal(Text(s))
		if err != nil {
			t.Fatal(err)
		}
		var back Text
		if err := json.Unmarshal(b, &back); err != nil || string(back) != s {
			t.Errorf("%q came back as %q from %s (%v)", s, back, b, err)
		}
		if short := Text(s).Short(); len(short) > 4*120+16 || strings.ContainsAny(short, "\n\x1b\x00") {
			t.Errorf("%q is no sentence's", short)
		}
	})
}

func TestNoText(t *testing.T) {
	for _, bad := range []string{`1`, `{"base64": "?"}`, `[]`} {
		if err := json.Unmarshal([]byte(bad), new(Text)); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func TestCuts(t *testing.T) {
	var c Cuts
	if c.List() != nil {
		t.Error("nothing is something")
	}
	for i := range maxCuts + 3 {
		c.Add("%d", i)
	}
	if l := c.List(); len(l) != maxCuts+1 || l[maxCuts] != "and 3 more like these" {
		t.Errorf("%q", l)
	}
}
