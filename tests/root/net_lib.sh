# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# For tests of the network with real guests: the host's side is a network namespace of its own, with a
# client behind the link lan0. net_probe is in every guest as /probe. Source with the test's arguments.
if [ -z "${VS_NET_HOST-}" ]; then
  # The network that the test was started in, for what must be downloaded.
  exec 8</proc/self/ns/net
  VS_NET_HOST=1 exec unshare -n -- "$0" "$@"
fi
# shellcheck source=tests/root/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
probe=$bin/../tests/net-probe
servers=()

ip link set lo up
unshare -n sleep 600 &
client_pid=$!
for ((i = 0; i < 100; i++)); do
  [ "$(readlink /proc/$client_pid/ns/net)" != "$(readlink /proc/self/ns/net)" ] && break
  sleep 0.05
done
ip link add lan0 type veth peer name eth0 netns $client_pid
ip addr add 10.9.0.1/24 dev lan0
ip addr add fd09::1/64 dev lan0 nodad
ip link set lan0 up
client() { nsenter -t $client_pid -n "$@"; }
client ip link set lo up
client ip addr add 10.9.0.9/24 dev eth0
client ip addr add fd09::9/64 dev eth0 nodad
client ip link set eth0 up

stop_servers() {
  [ ${#servers[@]} = 0 ] && return
  kill "${servers[@]}" 2>/dev/null
  wait "${servers[@]}" 2>/dev/null
  servers=()
}
net_clean_up() {
  stop_servers
  clean_up
  kill $client_pid 2>/dev/null
}
trap net_clean_up EXIT

# net_guest NAME MODE ADDRESS/PREFIX...: a guest with the probe, on lan0
net_guest() {
  local name=$1 mode=$2 options=() one
  shift 2
  for one in "$@"; do options+=(--interface "lan0:$one"); done
  make_guest "$name" --net "$mode" "${options[@]}" || return 1
  cp "$probe" "$VSERVER_VDIRBASE/$name/probe"
}
# serve GUEST|host WORD HOST PORT [KIND...]: a server that lives until stop_servers
serve() {
  local where=$1 log=$work/serve.${#servers[@]}.$RANDOM
  shift
  : >"$log"
  if [ "$where" = host ]; then
    "$probe" serve "$@" >"$log" 2>&1 &
  else
    "$vserver" "$where" exec /probe serve "$@" >"$log" 2>&1 &
  fi
  servers+=($!)
  wait_for grep -q . "$log"
  cat "$log" >"$work/served"
}
# sees WHAT WANTED COMMAND...: the command prints exactly this
sees() {
  local what=$1 want=$2 got
  shift 2
  got=$("$@" 2>&1)
  if [ "$got" = "$want" ]; then pass; else fail "$what: '$got', wanted '$want'"; fi
}
inside() { "$vserver" "$1" exec /probe "${@:2}"; }
