// Package runtime asks containerd what a container is, and pauses and resumes it.
//
// It is the narrow part of containerd's API that containment needs, in plain
// types: no image, no streams, no checkpoint. Every answer is containerd's
// word; whether the kernel agrees is for package halt to say.
//
// Start with [New] and [Containerd.Container].
package runtime
