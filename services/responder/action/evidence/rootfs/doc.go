// Package rootfs lists and keeps what a container has written over its image.
//
// That is the upper folder of its root's overlay. Where it lies is taken from
// the mounts of the runtime's side, for the container can mount an overlay over
// its own root and name any folder of the host. The container may change names
// while they are read: so each is reached from its folder's descriptor, in one
// step that follows no link, and opened only when that very file was seen to be
// a regular one. Pipes, devices and sockets are never opened.
//
// Start with [Find], then [Copy].
package rootfs
