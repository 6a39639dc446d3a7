// Command churn is the hardest thing to halt: many threads that compute, one
// that executes the program anew all the time, and one that forks without end.
//
// With the argument "headless" it ends its first thread and runs on in others:
// such a process looks like a zombie.
package main

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "headless" {
		headless()
	}
	if len(os.Args) > 1 {
		return // a child: to be started was all of its work
	}
	for range 6 {
		go compute()
	}
	go fork()
	n, err := strconv.Atoi(os.Getenv("CHURN"))
	if err != nil {
		n = 0 // the first time
	}
	if err := os.WriteFile("/count", []byte(strconv.Itoa(n)), 0o600); err != nil {
		os.Exit(1)
	}
	time.Sleep(3 * time.Millisecond)
	env := []string{"CHURN=" + strconv.Itoa(n+1)}
	for { // out of memory or processes for a moment: try again
		err = syscall.Exec(os.Args[0], os.Args[:1], env)
		time.Sleep(time.Millisecond)
		if err == nil {
			return
		}
	}
}

func compute() {
	for x := 0; ; x++ {
		if x%1000 == 0 {
			time.Sleep(time.Microsecond)
		}
	}
}

// fork starts children and reaps them, those too that an earlier program in
// this process has left.
func fork() {
	for {
		_, err := syscall.ForkExec(os.Args[0], []string{os.Args[0], "child"}, &syscall.ProcAttr{})
		for err == nil {
			_, err = syscall.Wait4(-1, nil, 0, nil)
		}
	}
}

func headless() {
	runtime.LockOSThread() // main runs on the first thread
	go func() {
		for n := 0; ; n++ {
			if err := os.WriteFile("/count", []byte(strconv.Itoa(n)), 0o600); err != nil {
				os.Exit(1)
			}
			time.Sleep(time.Millisecond)
		}
	}()
	time.Sleep(10 * time.Millisecond)
	syscall.Syscall(syscall.SYS_EXIT, 0, 0, 0)
}
