// Package suite brings playbooks and the tests beside them together: which
// file tests which playbook, what is missing, and what became of the tests.
//
// Files come as bytes; reading them, and doing several at once, is the business
// of the command. It is pure. Start with [Pairs] and [Load].
package suite
