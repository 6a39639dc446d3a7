#!/usr/bin/env bash
# What `make test` runs: brings its needs, then builds, vets and tests
# everything with a real containerd. Each phase prints its time; the last line
# is the sum of the tests, and the exit code is not 0 when anything failed.
set -euo pipefail

cd "$(dirname "$0")/.."

[ "$(id -u)" = 0 ] || {
	echo "test: the tests start containers with a real containerd and freeze cgroups: run them as root" >&2
	exit 1
}

report_bin=$(mktemp -d)
trap 'rm -rf "$report_bin"' EXIT

phase() {
	local name=$1 began
	shift
	echo "== $name"
	began=$(date +%s.%N)
	"$@" || {
		echo "== $name failed" >&2
		return 1
	}
	awk -v name="$name" -v began="$began" -v ended="$(date +%s.%N)" \
		'BEGIN { printf "== %s took %.1f s\n", name, ended - began }'
}

# Two at a time, however many cores there are: several packages run a containerd
# each. -count=1, since what they test is this host as much as the code. Vetting
# had a phase of its own.
tests() {
	go test -json -count=1 -vet=off -p 2 -timeout 15m "${packages[@]}" | "$report_bin/testreport"
}

phase needs deploy/needs.sh
phase download go mod download
phase build go build ./...
phase vet go vet ./...
go build -o "$report_bin/testreport" ./deploy/testreport
mapfile -t packages < <(go list ./...)
[ ${#packages[@]} -gt 0 ] || { echo "test: go list found no package" >&2; exit 1; }
echo "== tests of ${#packages[@]} packages"
tests
