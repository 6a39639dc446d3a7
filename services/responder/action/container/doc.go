// Package container holds the action container.pause: it halts all containers
// of a pod in the kernel, pauses them through containerd, watches that they
// stay so, and lets them run on exactly as they ran before.
//
// It is for Linux hosts with containerd. It does not kill, checkpoint or
// delete anything, and it takes no evidence (see package evidence).
//
// Halt first, pause second: containerd's pause starts a program and takes
// milliseconds, the kernel's freezer a tenth of one. The halt stays when the
// pause fails, and is told as what it is. Start with [Pause.Plan], then
// [Pause.Apply]; package halt says which freezer can be used where, package
// runtime speaks with containerd, package protect finds what must not be halted.
package container
