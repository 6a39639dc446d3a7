// Package decode reads what containerd and the kernel say about containers:
// pure functions from bytes to facts, without a clock and without I/O.
//
// It is not for talking to containerd (see the package containerd beside it).
// Start with [Event].
package decode
