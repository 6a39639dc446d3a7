// Command churn is the hardest thing to halt: many threads that compute, one
// that executes the program anew all the time, and one that forks without end.
package main

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		return
	}
	for range 6 {
		go func() {
			for x := 0; ; x++ {
				if x%1000 == 0 {
					time.Sleep(time.Microsecond)
				}
			}
		}()
	}
	go func() {
		for {
			if err := exec.Command(os.Args[0], "child").Run(); err != nil {
				os.Exit(3)
			}
		}
	}()
	n, err := strconv.Atoi(os.Getenv("CHURN"))
	if err != nil {
		n = 0
	}
	count := []byte(strconv.Itoa(n))
	if err := os.WriteFile("/count", count, 0o600); err != nil {
		os.Exit(4)
	}
	time.Sleep(3 * time.Millisecond)
	env := []string{"CHURN=" + strconv.Itoa(n+1)}
	if err := syscall.Exec(os.Args[0], os.Args[:1], env); err != nil {
		os.Exit(5)
	}
}
