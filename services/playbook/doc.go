// Package playbook is the language of playbooks: it reads them, checks them
// and compiles them into what the correlator and the conductor work with.
//
// It is pure: sources come as bytes, and the same sources give the same set
// and the same findings. It matches no event and requests no step.
//
// Start with [Load]; [FromFS] collects the sources of a folder. The YAML is
// read by package document, expressions are compiled by package expr, and the
// author's guide is docs/playbooks.md, whose rules are numbered: the test that
// covers a rule bears its number, and guide_test.go wants one for each.
//
// match.go resolves the names of signals and window.go reads what belongs to
// an operator; steps.go, action.go and with.go are about `then`.
package playbook
