// Package decode takes the raw events of the exec sensor apart.
//
// It is pure: bytes in, [Exec] out. What the facts mean (which container, where
// the file comes from) is decided in package exec.
//
// Start with [Decode]; the layout is struct event of ../bpf/exec.bpf.c.
package decode
