// Package evidence holds the action evidence.capture: it keeps what a container
// is doing and what it has written, before another step destroys that.
//
// It is for Linux hosts with containerd. It takes, in the order in which things
// vanish, and stores by digest:
//
//   - processes.json: programs, arguments, users, open files, mapped programs,
//     and the names of environment variables. Their values are secrets more
//     often than evidence, and are never kept.
//   - sockets.json: the sockets of its network namespaces, and who holds them.
//   - rootfs-diff.tar and rootfs-diff.json: the files that differ from its
//     image, and programs that run and have no file any more.
//
// The container is paused through containerd while it is read (or frozen in the
// kernel, where the runtime refuses), unless it is paused already or must not
// be, and runs on afterwards. A mark on its cgroup
// says that this is ours: after a crash [Capture.Undo] finds it there.
//
// It is not for memory, logs, volumes, network traffic or a checkpoint, nor for
// other containers of the pod. It does not judge what it finds, and it contains
// nothing: see package container.
//
// What is captured was written by an attacker. So no name is taken for text
// (package text), no link is followed and no pipe or device opened (package
// rootfs), no file system that the container may serve itself is asked (package
// process), and every bound that is met is told in the artefact and in
// [Captured]. Start with [Capture.Plan], then [Capture.Apply].
package evidence
