# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# For tests that run real guests: their own configuration, run and root directories, one busybox
# guest as a template, and everything taken away at the end, however it comes.
set -u
bin=$1
vserver=$bin/vserver
work=$(mktemp -d /var/tmp/vserver-test.XXXXXX)
export VSERVER_CONFDIR=$work/conf VSERVER_VDIRBASE=$work/vdirs VSERVER_CACHEDIR=$work/cache
export VSERVER_RUNDIR=/run/vserver-test.$$ VSERVER_SLICE=vserver-test-$$.slice
tag=t$$
# Several runs at once on one machine: each has context ids and addresses of its own.
next_xid=$((28700 + $$ % 400 * 10))
net=10.$((64 + $$ / 250 % 64)).$(($$ % 250))
passed=0
failed=0

clean_up() {
  local conf
  for conf in "$VSERVER_CONFDIR"/*/; do
    [ -d "$conf" ] && "$vserver" --silent stop "$(basename "$conf")" >/dev/null 2>&1
  done
  # Nothing of a run stays in force: neither cgroups nor pinned programs.
  find /sys/fs/cgroup -depth -type d -path "*/$VSERVER_SLICE*" -exec rmdir {} + 2>/dev/null
  rm -rf "/sys/fs/bpf/${VSERVER_SLICE%.slice}" 2>/dev/null
  umount "$VSERVER_RUNDIR/bpf" "$VSERVER_RUNDIR/no-network" 2>/dev/null
  rm -rf --one-file-system "$work" "$VSERVER_RUNDIR"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

pass() { passed=$((passed + 1)); }
fail() {
  failed=$((failed + 1))
  printf 'FAILED %s\n' "$*" >&2
}
# expect WHAT STATUS COMMAND...: the command's exit status
expect() {
  local what=$1 want=$2 got
  shift 2
  "$@" >"$work/out" 2>"$work/err"
  got=$?
  if [ "$got" = "$want" ]; then pass; else
    fail "$what: status $got, wanted $want"
    cat "$work/out" "$work/err" >&2
  fi
}
# says WHAT TEXT: the last command printed it
says() { if grep -qF -- "$2" "$work/out" "$work/err"; then pass; else
  fail "$1: did not say '$2'"
  cat "$work/out" "$work/err" >&2
fi; }
wait_for() {
  local i
  for ((i = 0; i < 100; i++)); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.1
  done
  return 1
}
# make_guest NAME [OPTION...]: a busybox guest
make_guest() {
  local name=$1 applet root=$VSERVER_VDIRBASE/$1
  "$vserver" "$name" build -m skeleton --context $((next_xid++)) "${@:2}" || return 1
  cp "$(command -v busybox)" "$root/bin/busybox"
  for applet in sh ls cat ps mount umount sleep true id echo kill poweroff reboot mknod mkdir wc grep chroot ip hostname wget httpd nc dd; do
    ln -s busybox "$root/bin/$applet"
  done
  ln -s /bin/busybox "$root/sbin/init"
  printf '::sysinit:/bin/echo guest is up\n::respawn:/bin/sleep 1000\n::shutdown:/bin/echo going down\n' >"$root/etc/inittab"
  chown -R --no-dereference --reference="$root" "$root"
}
# quick_init NAME: one that goes at once; busybox takes two seconds for its good-byes
quick_init() {
  local root=$VSERVER_VDIRBASE/$1
  rm "$root/sbin/init"
  printf '#!/bin/sh\ntrap "exit 0" USR2\nsleep 1000 &\nwait\n' >"$root/sbin/init"
  chmod 755 "$root/sbin/init"
  chown --reference="$root" "$root/sbin/init"
}
# row KIND NAME: what follows tests this row of the tables of `vs-doc rows`
rows=
row() { rows="$rows $1:$2"; }
# all_rows KIND...: a row of these kinds that nothing tests fails
all_rows() {
  local kind name rest
  while read -r kind name rest; do
    case " $* " in *" $kind "*) ;; *) continue ;; esac
    case "$rows " in *" $kind:$name "*) pass ;; *) fail "no test for the $kind '$name': $rest" ;; esac
  done < <("$bin/../src/vs-doc" rows)
}
# deep DIR N: N directories, one in the other; bash would look at the whole path for each
deep() {
  python3 -c 'import os, sys
os.chdir(sys.argv[1])
for _ in range(int(sys.argv[2])):
    os.mkdir("d")
    os.chdir("d")' "$@"
}
finish() {
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
  exit
}
