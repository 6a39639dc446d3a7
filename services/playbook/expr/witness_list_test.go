package expr

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPartsOf draws patterns and texts: what a pattern matches holds one of the
// texts that were found for it.
func TestPartsOf(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(7, 7))
	of := func(list ...string) string { return list[rnd.IntN(len(list))] }
	words := []string{"abc", "abd", "bcd", "é/<", "ABC"}
	var pattern func(depth int) string
	pattern = func(depth int) string {
		if depth == 0 || rnd.IntN(4) == 0 {
			return of("abc", "abc", "abd", "bcd", "é/<", "(?i:abc)", "(?i)abd", "[ab]bc", ".", "^", "$", `\b`, "", "(?m:^)", `\x61bc`, `\Qbcd\E`, "[^a]")
		}
		a, b := pattern(depth-1), pattern(depth-1)
		return of(a+b, a+b, "("+a+"|"+b+")", "(?:"+a+"|"+b+")", "("+a+")"+of("*", "+", "?", "{2}", "{0,2}", "{1,2}", "*?", "+?"))
	}
	known, matched := 0, 0
	for range 20_000 {
		text := pattern(3)
		re, err := regexp.Compile(text)
		if err != nil {
			continue
		}
		parts := partsOf(text)
		if len(parts) > 0 {
			known++
		}
		for range 20 {
			var in strings.Builder
			for range rnd.IntN(4) {
				in.WriteString(words[rnd.IntN(len(words))])
			}
			if !re.MatchString(in.String()) || len(parts) == 0 {
				continue
			}
			matched++
			if !slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(in.String(), p) }) {
				t.Fatalf("%q matches %q, which holds none of %q", text, in.String(), parts)
			}
		}
	}
	if known < 1000 || matched < 1000 {
		t.Errorf("%d patterns with parts, %d matches: the test says little", known, matched)
	}
}
