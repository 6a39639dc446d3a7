package expr

import (
	"fmt"
	"regexp/syntax"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// Bounds of a regular expression. What it costs to match grows with the states
// of its machine, which a{1000} has many of though it is short.
const (
	maxPattern = 1024 // characters
	maxStates  = 2000
)

// pattern checks the regular expression of matches().
func (a *analysis) pattern(e celast.Expr) {
	text, ok := literalOf(e).(types.String)
	if !ok {
		a.problem(e, "the pattern of matches() must be written out", "write the regular expression as text in quotes")
		return
	}
	if n := len([]rune(string(text))); n > maxPattern {
		a.problem(e, fmt.Sprintf("the regular expression has %d characters, at most %d are allowed", n, maxPattern), "match less, or compare with in [\"…\", \"…\"]")
		return
	}
	parsed, err := syntax.Parse(string(text), syntax.Perl)
	if err != nil {
		return // CEL says so at its place
	}
	states := statesOf(parsed)
	if states > maxStates {
		a.problem(e, fmt.Sprintf("the regular expression is too large: about %d states, at most %d are allowed", states, maxStates), "take smaller counts in {…}, or + and *")
		return
	}
	a.patterns[string(text)] = max(states, uint64(len(text)))
}

// statesOf estimates the size of the machine that a regular expression becomes.
func statesOf(r *syntax.Regexp) uint64 {
	own := uint64(1)
	if r.Op == syntax.OpLiteral {
		own = uint64(len(r.Rune))
	}
	for _, sub := range r.Sub {
		own += statesOf(sub)
	}
	if r.Op == syntax.OpRepeat {
		times := max(r.Max, r.Min+1)
		own *= uint64(max(times, 1))
	}
	return min(own, 1<<40)
}
