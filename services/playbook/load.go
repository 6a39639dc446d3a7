package playbook

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"firebreak/schemas"
	"firebreak/services/playbook/document"
	"firebreak/services/playbook/expr"
)

// Source is the text of one playbook.
type Source struct {
	Name string // what findings call it, such as its path
	Data []byte
	Mode string // the most that guard.mode may be: observe | approve | enforce; "" for no cap
}

// Load checks and compiles the sources as one set, for a deployment with the
// given actions. It gives the set, or nil when any finding is an error: a set
// is in force whole or not at all.
func Load(sources []Source, specs []schemas.Spec) (*Set, []Finding) {
	sorted := slices.Clone(sources)
	slices.SortStableFunc(sorted, func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
	set := &Set{Digest: digest(sorted), Sources: map[string][]byte{}}
	actions, compiler := newActions(specs), expr.NewCompiler()
	var findings []Finding
	owners := map[string]string{} // file by the name of its playbook
	for i, s := range sorted {
		if i > 0 && sorted[i-1].Name == s.Name {
			findings = append(findings, Finding{File: s.Name, Line: 1, Column: 1, Severity: SeverityError, Message: "two sources have this name", Fix: "load it once"})
			continue
		}
		set.Sources[s.Name] = s.Data
		c := &check{file: s.Name, actions: actions, compiler: compiler}
		p := c.playbook(s)
		if p != nil {
			if owner, taken := owners[p.Name]; taken {
				c.errorf(c.doc.Metadata.Name.At, "rename one of them", "the name %s belongs to the playbook in %s", p.Name, owner)
			}
			owners[p.Name] = s.Name
			set.Playbooks = append(set.Playbooks, p)
		}
		findings = append(findings, c.sorted()...)
	}
	if Failed(findings) {
		return nil, findings
	}
	slices.SortFunc(set.Playbooks, func(a, b *Playbook) int { return strings.Compare(a.Name, b.Name) })
	return set, findings
}

// digest covers names, contents and caps of the mode, each with its length before it, so that
// no other division into files has the same one.
func digest(sorted []Source) string {
	h := sha256.New()
	for _, s := range sorted {
		for _, part := range [][]byte{[]byte(s.Name), s.Data, []byte(s.Mode)} {
			var length [8]byte
			binary.BigEndian.PutUint64(length[:], uint64(len(part)))
			h.Write(length[:])
			h.Write(part)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// check is the work on one playbook.
type check struct {
	file     string
	actions  *actions
	compiler *expr.Compiler
	doc      *document.Playbook
	findings []Finding
}

// playbook reads and compiles a source; nil when it has errors.
func (c *check) playbook(s Source) *Playbook {
	doc, problems := document.Read(s.Data)
	for _, p := range problems {
		c.add(p.Place, SeverityError, p.Message, p.Fix)
	}
	if doc == nil {
		return nil
	}
	c.doc = doc
	p := &Playbook{
		File: s.Name, Name: doc.Metadata.Name.Value, Summary: doc.Metadata.Summary.Value,
		Arena: doc.Metadata.Arena.Value, Severity: doc.Metadata.Severity.Value,
	}
	c.metadata(p)
	c.signals(p)
	c.join(p)
	c.guard(p, s.Mode)
	c.steps(p)
	if Failed(c.findings) {
		return nil
	}
	return p
}

func (c *check) add(at document.Place, severity, message, fix string) {
	// A place of its own is better than none, whatever was wrong.
	f := Finding{File: c.file, Line: max(at.Line, 1), Column: max(at.Column, 1), Severity: severity, Message: message, Fix: fix}
	if !slices.Contains(c.findings, f) {
		c.findings = append(c.findings, f)
	}
}

func (c *check) errorf(at document.Place, fix, format string, args ...any) {
	c.add(at, SeverityError, fmt.Sprintf(format, args...), fix)
}

// sorted gives the findings in the order of the file.
func (c *check) sorted() []Finding {
	slices.SortFunc(c.findings, func(a, b Finding) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		if a.Column != b.Column {
			return a.Column - b.Column
		}
		return strings.Compare(a.Message, b.Message)
	})
	return c.findings
}
