package expr

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"firebreak/services/playbook/near"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// analysis looks at one parsed expression before CEL checks its types: it
// knows the fields' names better than CEL does, and rewrites what CEL would
// not take.
type analysis struct {
	text   string
	root   *node
	info   *celast.SourceInfo
	fac    celast.ExprFactory
	paths  map[int64]*path   // by expression; nil for what is no path
	bound  map[string]*node  // variables of exists() and its like; nil node: of unknown type
	ranges map[string]string // by the variables of loops: the path that each walks through
	lastID int64
	reads  int // paths that are read or tested
	loops  int // comprehensions

	lookups   bool // whether the inventory may be asked
	inventory int  // look-ups in it

	patterns map[string]uint64 // what matching costs by the regular expressions

	present  []string // paths that are there when the whole is true
	problems Problems
	warnings Problems
	warned   map[string]bool
}

// path is a way into the data.
type path struct {
	node     *node
	steps    []step
	optional bool // holds .? or [?]: it yields an optional, never an error
	nested   bool // lies within an entry of a list or a map that a loop walks through
}

// step is a path up to one of its members.
type step struct {
	text     string
	optional bool // the schema does not promise it
}

func (p *path) text() string { return p.steps[len(p.steps)-1].text }

// extend gives the path to a member.
func (p *path) extend(n *node, text string, optional bool) *path {
	steps := append(slices.Clip(p.steps), step{text: text, optional: optional})
	return &path{node: n, steps: steps, optional: p.optional, nested: p.nested}
}

func newAnalysis(text string, parsed *celast.AST, root *node) *analysis {
	return &analysis{
		text: text, root: root, info: parsed.SourceInfo(), fac: celast.NewExprFactory(),
		paths: map[int64]*path{}, patterns: map[string]uint64{}, bound: map[string]*node{}, ranges: map[string]string{}, lastID: celast.MaxID(parsed), warned: map[string]bool{},
	}
}

// run checks the names and rewrites the expression for CEL.
func (a *analysis) run(parsed *celast.AST, known facts) {
	a.walk(parsed.Expr(), known)
	a.contradictions(parsed.Expr())
	a.present = a.factsOf(parsed.Expr(), true).present
	if len(a.problems) == 0 {
		a.lower(parsed.Expr())
	}
}

// pathOf follows an expression into the data; nil when it is no path.
func (a *analysis) pathOf(e celast.Expr) *path {
	if p, done := a.paths[e.ID()]; done {
		return p
	}
	p := a.follow(e)
	a.paths[e.ID()] = p
	return p
}

func (a *analysis) follow(e celast.Expr) *path {
	switch e.Kind() {
	case celast.IdentKind:
		return a.variable(e)
	case celast.SelectKind:
		if p := a.pathOf(e.AsSelect().Operand()); p != nil {
			return a.member(e, p, e.AsSelect().FieldName(), false)
		}
	case celast.CallKind:
		return a.indexed(e)
	}
	return nil
}

// indexed follows x[k], x[?k] and x.?name.
func (a *analysis) indexed(e celast.Expr) *path {
	call := e.AsCall()
	fn, args := call.FunctionName(), call.Args()
	if fn != operators.Index && fn != operators.OptIndex && fn != operators.OptSelect {
		return nil
	}
	p := a.pathOf(args[0])
	if p == nil {
		return nil
	}
	optional := fn != operators.Index
	switch key := literalOf(args[1]).(type) {
	case types.String:
		p = a.member(e, p, string(key), fn != operators.OptSelect)
	case types.Int:
		p = element(p, strconv.FormatInt(int64(key), 10))
	default:
		own := args[1].Kind() == celast.IdentKind && a.ranges[args[1].AsIdent()] == p.text()
		if p = element(p, "…"); p != nil && own {
			p.steps[len(p.steps)-1].optional = false // one of the keys that the loop walks through
		}
	}
	if p != nil && optional {
		p.optional = true
	}
	return p
}

func literalOf(e celast.Expr) any {
	if e.Kind() != celast.LiteralKind {
		return nil
	}
	return e.AsLiteral()
}

// variable finds a name that stands alone.
func (a *analysis) variable(e celast.Expr) *path {
	name := e.AsIdent()
	if n, ok := a.bound[name]; ok {
		if n == nil {
			return nil
		}
		return &path{node: n, steps: []step{{text: name}}, nested: true}
	}
	if f, ok := a.root.fields[name]; ok {
		a.reads++
		return &path{node: f.node, steps: []step{{text: name, optional: !f.required}}}
	}
	if strings.HasPrefix(name, "@") || slices.Contains(celNames, name) {
		return nil
	}
	fix := ""
	if word := near.Nearest(name, a.root.names()); word != "" {
		fix = "did you mean " + word + "?"
	}
	a.problem(e, fmt.Sprintf("unknown field %s; known: %s", name, list(a.root.names())), fix)
	return nil
}

// celNames are names of types and packages that an expression may hold.
var celNames = []string{"bool", "bytes", "double", "dyn", "int", "list", "map", "optional", "optional_type", "string", "type", "uint"}

// member finds a field of an object, or a key of a map.
func (a *analysis) member(e celast.Expr, p *path, name string, index bool) *path {
	switch p.node.kind {
	case kindStruct:
		f, ok := p.node.fields[name]
		if !ok || index {
			a.unknownMember(e, p, name, index && ok)
			return nil
		}
		return p.extend(f.node, p.text()+"."+name, !f.required)
	case kindMap:
		if p.node.keys != nil && !slices.Contains(p.node.keys, name) {
			a.unknownMember(e, p, name, false)
			return nil
		}
		return p.extend(p.node.elem, fmt.Sprintf("%s[%q]", p.text(), name), p.node.keys == nil)
	case kindDyn:
		if p.node.keys != nil && !slices.Contains(p.node.keys, name) {
			a.unknownMember(e, p, name, false)
			return nil
		}
		return p.extend(&node{kind: kindDyn, loose: p.node.loose}, below(p.text(), name), p.node.loose)
	default:
		return nil
	}
}

// plainName is what can follow a dot.
var plainName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// below writes a member as CEL reads it.
func below(path, name string) string {
	if plainName.MatchString(name) {
		return path + "." + name
	}
	return fmt.Sprintf("%s[%q]", path, name)
}

func (a *analysis) unknownMember(e celast.Expr, p *path, name string, indexed bool) {
	if why, hidden := p.node.hidden[name]; hidden {
		a.problem(e, fmt.Sprintf("%s.%s cannot be spoken of", p.text(), name), why)
		return
	}
	if indexed {
		a.problem(e, fmt.Sprintf("%s is an object: its fields are read with a dot", p.text()), "write "+p.text()+"."+name)
		return
	}
	fix := ""
	if word := near.Nearest(name, p.node.names()); word != "" {
		fix = "did you mean " + below(p.text(), word) + "?"
	}
	a.problem(e, fmt.Sprintf("unknown field %s of %s; known: %s", name, p.text(), list(p.node.names())), fix)
}

// element finds one entry of a list, or of a map whose key is not written out.
func element(p *path, index string) *path {
	switch p.node.kind {
	case kindList, kindMap:
		return p.extend(p.node.elem, p.text()+"["+index+"]", true)
	case kindDyn:
		return p.extend(&node{kind: kindDyn, loose: p.node.loose}, p.text()+"["+index+"]", p.node.loose)
	default:
		return nil
	}
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// newID numbers an expression that stands where another one did.
func (a *analysis) newID(like celast.Expr) int64 {
	a.lastID++
	if r, ok := a.info.GetOffsetRange(like.ID()); ok {
		a.info.SetOffsetRange(a.lastID, r)
	}
	return a.lastID
}

func (a *analysis) problem(e celast.Expr, message, fix string) {
	line, column := a.place(e)
	a.problems = append(a.problems, Problem{Line: line, Column: column, Message: message, Fix: fix})
}

func (a *analysis) warn(e celast.Expr, message, fix string) {
	if a.warned[message] {
		return
	}
	a.warned[message] = true
	line, column := a.place(e)
	a.warnings = append(a.warnings, Problem{Line: line, Column: column, Message: message, Fix: fix})
}

// place is where an expression stands. CEL places a field at its dot; people
// look for its name.
func (a *analysis) place(e celast.Expr) (line, column int) {
	at := a.info.GetStartLocation(e.ID())
	line, column = at.Line(), at.Column()+1
	if line < 1 {
		return 1, 1
	}
	lines := strings.Split(a.text, "\n")
	if line <= len(lines) {
		rest := []rune(lines[line-1])
		for column <= len(rest) && (rest[column-1] == '.' || rest[column-1] == '?') {
			column++
		}
	}
	return line, column
}
