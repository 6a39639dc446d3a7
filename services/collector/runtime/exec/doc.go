// Package exec is the source of runtime.process.started: one event for every
// program that is executed in a container of this node.
//
// It is for seeing executions, with the container, the executable's origin and
// the parent. It is not for exits, forks or threads, and it does not see what a
// script is: for a script the executable is its interpreter, and the script's
// path stands among the arguments.
//
// The facts come from an eBPF program (bpf/exec.bpf.c) that reads them in the
// kernel before the program's first instruction, so that neither a process that
// ends at once nor one that rewrites its own /proc entries escapes. Where BPF
// cannot be had the proc connector stands in; [Probe] says what is lost then.
//
// # Which container
//
// The names of the task's cgroups, in a version 1 hierarchy and in the unified
// one, hold the container's id ([cgroup.Candidates]); the outermost id that the
// runtime knows ([Lookup]) is the container. Pid namespaces play no part, so
// that a container with the host's is seen like any other. An id that no
// runtime knows yet is waited for (half a second), and then named without more
// if it is one of 64 hex digits, which nothing but a container bears. Of two
// containers whose namespaces share an id, the path of the cgroup tells which
// one it is; where that does not tell, the exec is counted as lost.
//
// # Set-up processes of the runtime
//
// runc executes itself inside the container's cgroup before it enters the
// container. Such an exec is dropped when all of this holds, as the kernel sees it:
//
//  1. its parent is outside the container's cgroup;
//  2. it is still in its parent's mount namespace: it has not entered the container;
//  3. the file is the parent's own executable (same device and inode), or a copy
//     of the same size that its mount namespace has no path to (the memfd or
//     sealed mount that runc makes of itself);
//  4. the parent is none of those that adopt orphans: a shim, process 1, or any
//     process already seen as the parent of a program inside a container.
//
// Names and arguments of the process itself count for nothing: a process that
// was born in the container has its parent there, and one that is adopted has a
// parent by rule 4. To be dropped an attacker must already be a child of the
// host's runtime binary.
//
// Start with [New] and [Source.Run]; the two ways to hear of an exec are kernel.go
// and connector.go.
package exec
