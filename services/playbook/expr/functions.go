package expr

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/distribution/reference"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// imageModel describes what imageref() gives.
var imageModel = func() *node {
	n := &node{kind: kindStruct, path: "imageref", fields: map[string]*field{}}
	for _, name := range []string{"registry", "repository", "tag", "digest"} {
		n.add(name, &node{kind: kindString, path: "imageref." + name}, name != "tag" && name != "digest")
	}
	return n
}()

// functions are ours beyond standard CEL, and sums of mixed numbers.
func functions() []cel.EnvOption {
	text, yes, dyn := cel.StringType, cel.BoolType, cel.DynType
	options := []cel.EnvOption{
		cel.Function("cidr", cel.Overload("cidr_text_text", []*cel.Type{text, text}, yes, cel.BinaryBinding(cidr))),
		cel.Function("glob", cel.Overload("glob_text_text", []*cel.Type{text, text}, yes, cel.BinaryBinding(glob))),
		cel.Function("semver", cel.Overload("semver_text_text", []*cel.Type{text, text}, yes, cel.BinaryBinding(version))),
		cel.Function("imageref", cel.Overload("imageref_text", []*cel.Type{text}, imageModel.celType(), cel.UnaryBinding(imageref))),
	}
	for symbol, name := range mixed {
		options = append(options, cel.Function(name, cel.Overload(name+"_dyn", []*cel.Type{dyn, dyn}, dyn, cel.BinaryBinding(calculate(symbol)))))
	}
	return append(options, lookFunctions()...)
}

// literal checks an argument of a function that is written out, so that a bad
// one is found when the expression is compiled.
func literal(function string, position int, value string) error {
	switch {
	case function == "cidr" && position == 1:
		_, err := netip.ParsePrefix(value)
		return err
	case function == "semver" && position == 1:
		if _, err := semver.NewConstraint(value); err != nil {
			return fmt.Errorf("version constraint %q: %w", value, err)
		}
	case function == "imageref":
		_, err := parseImage(value)
		return err
	}
	return nil
}

// cidr says whether an address lies in a range.
func cidr(ip, network ref.Val) ref.Val {
	address, err := netip.ParseAddr(string(ip.(types.String)))
	if err != nil {
		return types.WrapErr(fmt.Errorf("cidr: %w", err))
	}
	prefix, err := netip.ParsePrefix(string(network.(types.String)))
	if err != nil {
		return types.WrapErr(fmt.Errorf("cidr: %w", err))
	}
	// An IPv4 address is the same one when it comes written as IPv6.
	return types.Bool(prefix.Contains(address.Unmap().WithZone("")))
}

// version says whether a version meets a constraint such as ">= 1.2, < 2".
func version(text, constraint ref.Val) ref.Val {
	v, err := semver.NewVersion(string(text.(types.String)))
	if err != nil {
		return types.WrapErr(fmt.Errorf("semver %q: %w", text, err))
	}
	c, err := semver.NewConstraint(string(constraint.(types.String)))
	if err != nil {
		return types.WrapErr(fmt.Errorf("semver %q: %w", constraint, err))
	}
	return types.Bool(c.Check(v))
}

// imageref takes an image reference apart.
func imageref(text ref.Val) ref.Val {
	parts, err := parseImage(string(text.(types.String)))
	if err != nil {
		return types.WrapErr(err)
	}
	return types.NewStringInterfaceMap(adapter{Adapter: types.DefaultTypeAdapter}, parts)
}

// parseImage fills in what Docker's short names leave out, but no tag: an
// image that names none has none.
func parseImage(text string) (map[string]any, error) {
	named, err := reference.ParseDockerRef(text)
	if err != nil {
		return nil, fmt.Errorf("image reference %q: %w", text, err)
	}
	parts := map[string]any{"registry": reference.Domain(named), "repository": reference.Path(named)}
	original, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return nil, fmt.Errorf("image reference %q: %w", text, err)
	}
	if t, ok := original.(reference.Tagged); ok {
		parts["tag"] = t.Tag()
	}
	if d, ok := original.(reference.Digested); ok {
		parts["digest"] = d.Digest().String()
	}
	return parts, nil
}

// glob says whether the whole text matches a pattern: * stands for any
// characters but a slash, ** for any at all, ? for one that is no slash.
func glob(text, pattern ref.Val) ref.Val {
	return types.Bool(globMatch(string(text.(types.String)), string(pattern.(types.String))))
}

// globMatch walks the text once for each byte of the pattern at most: reached
// holds the places of the pattern that the text so far can have led to.
func globMatch(text, pattern string) bool {
	tokens := globTokens(pattern)
	reached := make([]bool, len(tokens)+1)
	next := make([]bool, len(tokens)+1)
	reached[0] = true
	skipStars(reached, tokens)
	for _, c := range text {
		clear(next)
		for i, t := range tokens {
			switch {
			case !reached[i]:
			case t == globAll, t == globStar && c != '/':
				next[i] = true
			case t == globOne && c != '/', t == c:
				next[i+1] = true
			}
		}
		skipStars(next, tokens)
		reached, next = next, reached
	}
	return reached[len(tokens)]
}

// Tokens of a pattern beside the characters that stand for themselves.
const (
	globOne  rune = -1 - iota // ?
	globStar                  // *
	globAll                   // **
)

func globTokens(pattern string) []rune {
	pattern = strings.ReplaceAll(pattern, "**", "\x00")
	tokens := make([]rune, 0, len(pattern))
	for _, c := range pattern {
		switch c {
		case '?':
			c = globOne
		case '*':
			c = globStar
		case 0:
			c = globAll
		}
		tokens = append(tokens, c)
	}
	return tokens
}

// skipStars lets a star stand for nothing.
func skipStars(reached []bool, tokens []rune) {
	for i, t := range tokens {
		if reached[i] && (t == globStar || t == globAll) {
			reached[i+1] = true
		}
	}
}
