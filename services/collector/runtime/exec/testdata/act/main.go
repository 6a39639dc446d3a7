// Act does in a container what a shell cannot: it executes a program from a
// memfd, or as another user.
package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

func main() {
	if len(os.Args) < 4 {
		fail(fmt.Errorf("usage: act memfd|uid NAME|ID PROGRAM [ARGUMENT…]"))
	}
	path, args := os.Args[3], os.Args[3:]
	switch os.Args[1] {
	case "memfd":
		path = memfd(os.Args[2], path)
	case "uid":
		id, err := strconv.Atoi(os.Args[2])
		if err == nil {
			err = syscall.Setuid(id)
		}
		fail(err)
	}
	fail(syscall.Exec(path, args, nil))
}

func memfd(name, program string) string {
	p, err := syscall.BytePtrFromString(name)
	fail(err)
	content, err := os.ReadFile(program)
	fail(err)
	fd, _, errno := syscall.Syscall(memfdCreate, uintptr(unsafe.Pointer(p)), 0, 0)
	if errno != 0 {
		fail(errno)
	}
	_, err = syscall.Write(int(fd), content)
	fail(err)
	return "/proc/self/fd/" + strconv.Itoa(int(fd))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
