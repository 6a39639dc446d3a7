// Package halt stops and starts the processes of a container through the
// kernel alone: freezers of cgroup v1 and v2, and signals.
//
// It knows nothing of containerd and decides nothing; package container does.
// A container is found by its id in the cgroup of one of its processes
// ([Host.Locate]), never by a pid alone, for pids are used again.
//
// Which freezer can be used in front of a runtime's own pause was tried with
// runc 1.1:
//
//   - On a hybrid host runc pauses through v1 and puts the container into a v2
//     cgroup too, at which it never looks: freezing that one ([Place.Side])
//     halts within about 0.1 ms, and the pause then works as ever.
//   - Where the pod's parent cgroup can be told for sure ([Place.Parent]),
//     freezing it halts all of the pod; runc looks only at the container's own.
//   - Freezing the container's own cgroup that runc uses ([Place.Own]) makes
//     runc refuse to pause. There, stopping every process by signal while the
//     cgroup is frozen, and thawing it, leaves it halted ([Stop]).
//
// What is halted bears a mark, an extended attribute of its cgroup, that says
// for whom and what was before: it lives and dies with the cgroup, so it needs
// no file and survives a crash of ours.
//
// Start with [Find] and [Host.Locate].
package halt
