package exec

//go:generate go tool -modfile=../../../../tools/go.mod bpf2go -tags linux -target amd64,arm64 -go-package exec -output-stem sensor -no-global-types sensor bpf/exec.bpf.c -- -O2 -g -Wall -Werror -I/usr/include
