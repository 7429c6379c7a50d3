# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The initramfs of a kernel: busybox, init, agent, the modules up to the root
# disk. Sourced by setup; a change of this file makes every initramfs anew.

# Modules that the initramfs loads, where the kernel does not have them built in.
boot_modules=(virtio_pci virtio_blk virtio_console 9pnet_virtio 9p crc32c_generic ext4 qemu_fw_cfg)

# Makes the initramfs of kernel series $1, with $work as its workshop.
make_initramfs() {
  local series=$1 tree=$work/initramfs busybox module file
  vm_locate "$series"
  busybox=$(command -v busybox)
  # 1 is what ldd says of a static program.
  ! ldd "$busybox" >/dev/null 2>&1 || vm_die "$busybox is not static: install busybox-static"
  rm -rf "$tree"
  mkdir -p "$tree"/{bin,modules,proc,sys,dev,new}
  cp "$busybox" "$tree/bin/busybox"
  cp "$vm_dir/init" "$vm_dir/agent" "$tree/"
  chmod 755 "$tree/init" "$tree/agent"
  for module in "${boot_modules[@]}"; do
    modprobe -d "$vm_kernel" -S "$vm_version" --show-depends "$module" 2>/dev/null
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
    while read -r module; do
      file=$(basename "$module" .xz)
      xz --decompress --force --stdout "$module" >"$tree/modules/$file"
      echo "$file" >>"$tree/modules/order"
    done
  [[ -s $tree/modules/order ]] || vm_die "no modules for the initramfs of $vm_version"
  (cd "$tree" && find . | cpio --quiet -o -H newc -R 0:0) >"$work/cpio" || vm_die "cpio failed"
  rm -f "$vm_kernel"/initramfs-*.cpio
  mv "$work/cpio" "$vm_initramfs"
}
