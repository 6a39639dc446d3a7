// Package playbook is the language of playbooks: it reads them, checks them
// and compiles them into what the correlator and the conductor work with.
//
// It is pure: sources come as bytes, and the same sources give the same set
// and the same findings. It matches no event and requests no step.
//
// Start with [Load]; [FromFS] collects the sources of a folder. The YAML is
// read by package document, expressions are compiled by package expr, and the
// author's guide is docs/playbooks.md.
package playbook
