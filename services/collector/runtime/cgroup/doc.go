// Package cgroup finds the container in the name of a control group.
//
// It reads names and nothing else: /proc/<pid>/cgroup is [Parse]d from text,
// and [Candidates] of a path are the ids that runtimes would have given it.
// Which candidate is a container, the runtime knows; a name alone proves
// nothing, for processes with rights can make cgroups of any name below their own.
//
// Start with [Candidates].
package cgroup
