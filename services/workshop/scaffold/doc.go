// Package scaffold writes the first version of a playbook and of its tests:
// both are complete, lint clean and pass, so that an author changes what works
// instead of searching for what is missing.
//
// It writes no file. It is pure. Start with [New].
package scaffold
