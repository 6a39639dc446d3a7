// Package socket reads the kernel's tables of sockets, and tells which process
// holds which.
//
// Of a container's own network namespace all sockets are kept. In the host's
// only those that the container's processes hold: the others are somebody
// else's. Packet, netlink and raw sockets are not listed. It is not for watching:
// a table is what it was at one moment.
//
// Internet sockets are read from /proc, where no program writes a word of its
// own. Names of unix sockets are a program's own words, so those are asked of
// the kernel by netlink.
//
// Start with [Read].
package socket
