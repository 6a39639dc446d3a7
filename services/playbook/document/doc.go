// Package document reads a playbook's YAML: strictly, and keeping the place of
// everything, so that whatever is wrong with it later can be pointed at.
//
// It knows the keys, which of them are required, and the shape of their
// values. It does not know what the values mean: event types, actions and
// expressions are the business of package playbook. The JSON Schema that
// editors use is generated from the types here.
//
// [Format] writes a playbook in its canonical form. It moves the lines of the
// file about rather than writing the YAML anew, which would lose how conditions
// are broken into lines, and it gives up where the result would mean something
// else.
//
// Start with [Read] and [Playbook].
package document
