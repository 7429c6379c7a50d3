# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Shared by setup, run and selftest: where things are, and how to wait for a
# job in such a way that a signal is answered at once.

PATH=$PATH:/usr/sbin:/sbin
vm_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P) || exit 125
vm_repo=$(cd "$vm_dir/../.." && pwd -P) || exit 125
vm_cache=$(realpath -m "${VM_CACHE:-$vm_repo/build/vm-cache}") || exit 125
vm_mirror=${VM_MIRROR:-http://deb.debian.org}

vm_say() { printf 'vm: %s\n' "$*" >&2; }
vm_die() { vm_say "$@"; exit 125; }

# The Debian package that always names the newest kernel of a series.
vm_kernel_package() {
  case $1 in
    6.12) echo linux-image-6.12-amd64 ;;
    6.1) echo linux-image-amd64 ;;
    *) return 1 ;;
  esac
}

# Sets vm_root, vm_kernel (a folder with boot/ and lib/modules/), vm_version and
# vm_initramfs for kernel series $1. Fails when any is missing or out of date.
# The names carry a hash of all that the contents depend on.
vm_locate() {
  local key
  key=$(cd "$vm_dir" && { cat root.sh packages; echo "$vm_mirror"; } | sha256sum) || return 1
  vm_root=$vm_cache/root-${key:0:16}.ext4
  key=$(cd "$vm_dir" && cat initramfs.sh init agent | sha256sum) || return 1
  vm_kernel=$(readlink "$vm_cache/kernel-$1") || { vm_kernel=; return 1; }
  vm_version=$vm_kernel
  vm_kernel=$vm_cache/$vm_kernel
  vm_initramfs=$vm_kernel/initramfs-${key:0:16}.cpio
  [[ -f $vm_root && -f $vm_initramfs && -f $vm_kernel/boot/vmlinuz-$vm_version ]]
}

# Bash handles a signal only after the foreground job has ended, but `wait`
# returns at once: so every long job runs through here, and vm_stop_job ends it.
vm_job=
vm_await() {
  local status=0
  "$@" &
  vm_job=$!
  wait "$vm_job" || status=$?
  vm_job=
  return "$status"
}

vm_stop_job() {
  [[ -n $vm_job ]] || return 0
  kill "$vm_job" 2>/dev/null
  wait "$vm_job" 2>/dev/null
  vm_job=
}
