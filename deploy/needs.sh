#!/bin/sh
# Installs what Firebreak's demo and tests need of the host, and nothing else:
# containerd, runc and a static busybox; with --build-bpf also what compiles the
# eBPF sensor. Quiet when nothing is missing.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")

say() { printf 'needs: %s\n' "$*" >&2; }
die() {
	say "$@"
	exit 1
}

build_bpf=no
for arg in "$@"; do
	case $arg in
	--build-bpf) build_bpf=yes ;;
	*) die "unknown argument $arg (known: --build-bpf)" ;;
	esac
done

# containerd and runc lie in /usr/sbin on some systems, where a user's PATH does not reach.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

[ "$(uname -s)" = Linux ] || die "Firebreak contains on Linux only; this is $(uname -s)"

check_go() {
	want=$(sed -n 's/^go //p' "$root/go.mod")
	command -v go >/dev/null 2>&1 ||
		die "Go $want or later is the one thing to install yourself: see https://go.dev/dl/ (then put its bin folder into PATH)"
	# Asked inside the module, a Go that may fetch a newer toolchain has done so.
	have=$(cd "$root" && go env GOVERSION 2>&1) ||
		die "Go does not run here: $have"
	have=$(printf '%s\n' "${have#go}" | sed 's/[^0-9.].*//')
	lowest=$(printf '%s\n%s\n' "$want" "$have" | sort -V | head -n 1)
	[ "$lowest" = "$want" ] || die "Go $have is too old: go.mod asks for $want (see https://go.dev/dl/)"
}

# The image of the tests holds busybox and no libraries.
static_busybox() {
	[ -x /bin/busybox ] && ! ldd /bin/busybox >/dev/null 2>&1
}

missing_packages() {
	command -v containerd >/dev/null 2>&1 && command -v containerd-shim-runc-v2 >/dev/null 2>&1 || echo containerd
	command -v runc >/dev/null 2>&1 || echo runc
	static_busybox || echo busybox-static
	[ "$build_bpf" = yes ] || return 0
	command -v clang >/dev/null 2>&1 || echo clang
	command -v llvm-strip >/dev/null 2>&1 || echo llvm
	[ -e /usr/include/bpf/bpf_helpers.h ] || echo libbpf-dev
}

policy=/usr/sbin/policy-rc.d
saved=$policy.firebreak-saved
mark='# made by firebreak (deploy/needs.sh) while it installs packages'
policy_state=untouched

restore_policy() {
	case $policy_state in
	made) rm -f "$policy" ;;
	moved) mv -f "$saved" "$policy" ;;
	esac
	policy_state=untouched
}

# Debian starts a service when its package is installed. The tests bring a
# containerd of their own, so the host's stays as it is.
forbid_starts() {
	trap restore_policy EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	# What a run that was killed could not put back.
	if grep -qsF "$mark" "$policy"; then rm -f "$policy"; fi
	if [ -e "$saved" ] || [ -L "$saved" ]; then mv -f "$saved" "$policy"; fi
	if [ -e "$policy" ] || [ -L "$policy" ]; then
		policy_state=moved
		mv "$policy" "$saved"
	else
		policy_state=made
	fi
	printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
	chmod 755 "$policy"
}

apt() {
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

has_candidate() {
	apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'
}

install_packages() {
	log=$(mktemp)
	fresh=no
	for package in "$@"; do
		has_candidate "$package" && continue
		say "fetching Debian's lists of packages"
		apt update >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; die "apt-get update failed: see above"; }
		fresh=yes
		break
	done
	if ! apt install --no-install-recommends "$@" >"$log" 2>&1; then
		# The lists may be so old that their packages are gone.
		if [ "$fresh" = yes ] || ! apt update >>"$log" 2>&1 || ! apt install --no-install-recommends "$@" >>"$log" 2>&1; then
			cat "$log" >&2
			rm -f "$log"
			die "apt-get install $* failed: see above"
		fi
	fi
	rm -f "$log"
}

check_go
packages=$(missing_packages)
[ -n "$packages" ] || exit 0
packages=$(printf '%s' "$packages" | tr '\n' ' ')

command -v apt-get >/dev/null 2>&1 ||
	die "missing: $packages. They are installed by themselves on Debian and its kin only; install them with this system's package manager (a static busybox at /bin/busybox) and try again"
[ "$(id -u)" = 0 ] ||
	die "missing: $packages. Run this as root once, or: sudo apt-get install --no-install-recommends $packages"

say "installing $packages"
forbid_starts
# shellcheck disable=SC2086 # a list of packages
install_packages $packages
restore_policy
still=$(missing_packages)
[ -z "$still" ] || die "installed, and still not found: $(printf '%s' "$still" | tr '\n' ' ')"
