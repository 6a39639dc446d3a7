package suite

import (
	"fmt"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/workshop/testfile"
	"firebreak/services/workshop/trial"
)

// Unit is a playbook and its tests, checked and compiled.
type Unit struct {
	Playbook *playbook.Playbook // nil: it has errors
	File     string             // of the playbook
	Tests    *testfile.File     // nil: there are none, or they have errors
	Findings []playbook.Finding // of the tests
	Broken   []playbook.Finding // of the playbook
}

// Bench is what units are loaded and run with. Safe for concurrent use.
type Bench struct {
	Specs   []schemas.Spec
	Formats []string         // of raw events
	Decode  testfile.Decoder // of them
	Runner  *trial.Runner
}

// Load checks and compiles a pair, by itself: whether two playbooks have the
// same name is for lint.
func (b *Bench) Load(p Pair) Unit {
	p.Source.Mode = "" // tests run in the mode that the playbook itself says
	set, findings := playbook.Load([]playbook.Source{p.Source}, b.Specs)
	var one *playbook.Playbook
	if set != nil && len(set.Playbooks) > 0 {
		one = set.Playbooks[0]
	}
	u := b.Check(p, one)
	u.Broken = findings
	return u
}

// Check checks the tests of a playbook that is compiled already; nil: it has errors.
func (b *Bench) Check(p Pair, compiled *playbook.Playbook) Unit {
	u := Unit{File: p.Source.Name, Playbook: compiled}
	if p.Test == nil {
		u.warn(p.Source.Name, "there are no tests beside this playbook", "write "+stem(p.Source.Name)+Ending+"; `firebreak playbook new` shows what one looks like")
		return u
	}
	f, findings := testfile.Read(p.Test.Name, p.Test.Data, b.Formats, b.Decode)
	u.Findings = append(u.Findings, findings...)
	if f == nil || u.Playbook == nil {
		return u
	}
	if f.Playbook != u.Playbook.Name {
		u.Findings = append(u.Findings, finding(f.Name, f.Named.Line, f.Named.Column, playbook.SeverityError,
			fmt.Sprintf("these tests are for %s, and the playbook beside them is %s", f.Playbook, u.Playbook.Name), "write playbook: "+u.Playbook.Name))
		return u
	}
	u.Findings = append(u.Findings, b.Runner.Check(u.Playbook, f)...)
	u.complete(f)
	if !playbook.Failed(u.Findings) {
		u.Tests = f
	}
	return u
}

// complete warns when a playbook is tested from one side alone.
func (u *Unit) complete(f *testfile.File) {
	fires, silent := false, false
	for _, c := range f.Cases {
		fires = fires || c.Fires()
		silent = silent || !c.Fires()
	}
	if !fires {
		u.warn(f.Name, "no test fires", "add one that expects an incident")
	}
	if !silent {
		u.warn(f.Name, "no test stays silent", "add one with something alike that is harmless, and expect: {incidents: []}")
	}
}

func (u *Unit) warn(file, message, fix string) {
	u.Findings = append(u.Findings, finding(file, 1, 1, playbook.SeverityWarning, message, fix))
}

// Failed says that the unit cannot be run.
func (u Unit) Failed() bool { return u.Playbook == nil || playbook.Failed(u.Findings) }

// Run runs the tests whose names are wanted.
func (b *Bench) Run(u Unit, wanted func(name string) bool) []trial.Result {
	if u.Playbook == nil || u.Tests == nil {
		return nil
	}
	var out []trial.Result
	for _, c := range u.Tests.Cases {
		if wanted == nil || wanted(u.Playbook.Name+"/"+c.Name) {
			out = append(out, b.Runner.Run(u.Playbook, u.Tests.Name, c))
		}
	}
	return out
}
