# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The root image, the same for every kernel. Sourced by setup; a change of this
# file or of the list of packages makes the image anew.

# Runs in the folder of the target system, before it is packed.
customize() {
  cat <<'CUSTOMIZE'
set -eu
cd "$1"
mkdir -p src boot usr/lib/modules
echo vm >etc/hostname
printf '127.0.0.1 localhost vm\n::1 localhost ip6-localhost\n' >etc/hosts
printf 'root:100000:65536\n' >etc/subuid
cp etc/subuid etc/subgid
# With a machine id this is no first boot, which would preset every unit.
echo 0123456789abcdef0123456789abcdef >etc/machine-id
: >etc/fstab
rm -f etc/resolv.conf
mkdir -p etc/systemd/journald.conf.d
printf '[Journal]\nStorage=volatile\n' >etc/systemd/journald.conf.d/vm.conf
chroot . systemctl --quiet disable nginx.service
chroot . systemctl --quiet mask getty.target apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
  e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-tmpfiles-clean.timer
rm -rf var/lib/apt/lists/* var/cache/apt/*.bin
CUSTOMIZE
}

make_root() {
  local mode=root packages
  vm_say "making the root image (about a minute)"
  [[ -s $vm_cache/apt/sources.list ]] || write_sources
  packages=$(sed 's/#.*//' "$vm_dir/packages" | xargs | tr ' ' ,)
  customize >"$work/customize"
  chmod 755 "$work/customize"
  [[ $(id -u) == 0 ]] || mode=unshare
  # mmdebstrap keeps its mounts in a mount namespace of its own.
  TMPDIR=$work vm_await mmdebstrap --quiet --mode="$mode" --variant=minbase --architectures=amd64 \
    --include="$packages" --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --customize-hook="sh '$work/customize' \"\$1\"" \
    bookworm "$work/root.tar" "$vm_cache/apt/sources.list" >&2 || vm_die "mmdebstrap failed"

  # The tree's owners exist only where it is unpacked: root, or root of a user
  # namespace, which needs a folder that it may write.
  mkdir -m 777 "$work/image"
  # shellcheck disable=SC2016 # for the inner shell
  local unpack=(bash -c 'set -e; cd "$1"; mkdir tree; tar -xpf ../root.tar --xattrs --xattrs-include="*" -C tree
    truncate -s 4G root.ext4; mke2fs -q -t ext4 -m 0 -L vm-root -d tree root.ext4; rm -rf tree' bash "$work/image")
  [[ $mode == root ]] || unpack=(mmdebstrap --unshare-helper "${unpack[@]}")
  [[ $mode == root ]] || chmod 755 "$work"
  vm_await "${unpack[@]}" || vm_die "cannot make the root image"
  rm "$work/root.tar"
  # Copied rather than moved, so that it is the caller's; holes stay holes.
  if [[ $mode == unshare ]]; then
    cp --sparse=always "$work/image/root.ext4" "$work/root.ext4" &&
      mmdebstrap --unshare-helper rm -f "$work/image/root.ext4"
  else
    mv "$work/image/root.ext4" "$work/root.ext4"
  fi || exit 125
  mv "$work/root.ext4" "$vm_root" || exit 125
}
