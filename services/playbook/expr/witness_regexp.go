package expr

import (
	"regexp/syntax"
)

// Bounds of what is made of one regular expression.
const (
	maxStarts   = 64
	maxClass    = 16
	maxPatterns = 1000 // parts that are looked at
)

// startsOf gives texts of which one begins every text that the regular
// expression matches; none when it is not tied to the beginning, or begins
// with what is not written out.
func startsOf(pattern string) []string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	budget := maxPatterns
	return anchored(re, &budget)
}

// anchored takes what stands behind ^.
func anchored(re *syntax.Regexp, budget *int) []string {
	if *budget--; *budget < 0 {
		return nil
	}
	switch re.Op {
	case syntax.OpCapture:
		return anchored(re.Sub[0], budget)
	case syntax.OpConcat:
		switch re.Sub[0].Op {
		case syntax.OpBeginText:
			return beginnings(re.Sub[1:], budget)
		case syntax.OpCapture, syntax.OpConcat, syntax.OpAlternate:
			return anchored(re.Sub[0], budget)
		}
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			some := anchored(sub, budget)
			if len(some) == 0 || len(all)+len(some) > maxStarts {
				return nil
			}
			all = append(all, some...)
		}
		return all
	}
	return nil
}

// beginnings gives what a sequence can begin with; none when that is not
// written out, or may be nothing.
func beginnings(parts []*syntax.Regexp, budget *int) []string {
	if *budget--; *budget < 0 || len(parts) == 0 {
		return nil
	}
	re := parts[0]
	switch re.Op {
	case syntax.OpBeginText, syntax.OpEmptyMatch:
		return beginnings(parts[1:], budget)
	case syntax.OpCapture, syntax.OpPlus:
		return beginnings(re.Sub, budget)
	case syntax.OpConcat:
		return beginnings(re.Sub, budget)
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return nil
		}
		if len(parts) > 1 && parts[1].Op != syntax.OpLiteral {
			if rest := beginnings(parts[1:], budget); len(rest) > 0 {
				return prefixed(string(re.Rune), rest)
			}
		}
		return []string{string(re.Rune)}
	case syntax.OpCharClass:
		return class(re.Rune)
	case syntax.OpAlternate:
		return alternatives(re.Sub, budget)
	}
	return nil
}

func prefixed(start string, rest []string) []string {
	out := make([]string, len(rest))
	for i, r := range rest {
		out[i] = start + r
	}
	return out
}

func alternatives(subs []*syntax.Regexp, budget *int) []string {
	var all []string
	for _, sub := range subs {
		some := beginnings([]*syntax.Regexp{sub}, budget)
		if len(some) == 0 || len(all)+len(some) > maxStarts {
			return nil
		}
		all = append(all, some...)
	}
	return all
}

// class writes out the members of a small character class.
func class(ranges []rune) []string {
	var out []string
	for i := 0; i+1 < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			if len(out) == maxClass {
				return nil
			}
			out = append(out, string(r))
		}
	}
	return out
}
