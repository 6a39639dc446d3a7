// Package runtime holds what the collectors of the runtime arena share: the
// table of the containers on this node.
//
// The table is written by the containerd source (package containerd) and read
// by the exec sensor, the usage sampler and the responder's fast plan. It is a
// hint: whoever touches a container asks the runtime first.
//
// Start with [Known] and [Facts].
package runtime
