package expr

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestStartsOf draws patterns and texts: what a pattern matches begins with one
// of the texts that were found for it.
func TestStartsOf(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(5, 5))
	of := func(list ...string) string { return list[rnd.IntN(len(list))] }
	var pattern func(depth int) string
	pattern = func(depth int) string {
		if depth == 0 || rnd.IntN(3) == 0 {
			return of("a", "b", "ab", "é", "[ab]", "[^a]", ".", "^", "^", "$", `\b`, `\A`, "(?i:a)", "(?m:^)", "", "[a-e]", `\x61`, "(?i)b")
		}
		one := pattern(depth - 1)
		switch rnd.IntN(6) {
		case 0:
			return "(" + one + ")" + of("", "*", "+", "?", "{2}", "{0,2}", "+?")
		case 1:
			return "(?:" + one + "|" + pattern(depth-1) + ")"
		case 2:
			return one + "|" + pattern(depth-1)
		default:
			return one + pattern(depth-1)
		}
	}
	found, matched := 0, 0
	for range 30_000 {
		text := of("^", "^", "") + pattern(3)
		re, err := regexp.Compile(text)
		if err != nil {
			continue
		}
		starts := startsOf(text)
		if len(starts) == 0 {
			continue
		}
		found++
		for range 8 {
			var word strings.Builder
			for range rnd.IntN(5) {
				word.WriteString(of("a", "b", "A", "é", "c", "\n", " "))
			}
			if !re.MatchString(word.String()) {
				continue
			}
			matched++
			if !slices.ContainsFunc(starts, func(s string) bool { return strings.HasPrefix(word.String(), s) }) {
				t.Errorf("%q matches %q, which begins with none of %q", text, word.String(), starts)
			}
		}
	}
	if found < 1000 || matched < 1000 {
		t.Errorf("%d patterns had starts, %d texts matched: too few to tell anything", found, matched)
	}
}

// A class or an alternation within another multiplies what it can begin with.
func TestStartsOfAreBounded(t *testing.T) {
	t.Parallel()
	for pattern, most := range map[string]int{
		"^" + strings.Repeat("[a-p]", 20):       maxStarts,
		"^(" + strings.Repeat("a|", 200) + "b)": maxStarts,
		"^[^a]":                                 0,
		"^" + strings.Repeat("(", 90) + "a" + strings.Repeat(")", 90): 1,
		"^(" + strings.Repeat("xa|yb|", 40) + "zc)":                   maxStarts,
		"(": 0,
	} {
		if n := len(startsOf(pattern)); n > most {
			t.Errorf("%q: %d starts, want at most %d", pattern, n, most)
		}
	}
}
