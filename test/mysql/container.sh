#!/bin/bash
# Starts one container as a kubelet would, as far as the scripts can tell: container.sh ROOTFS WORK UID CMD…
# It runs as process 1 of a new mount and pid namespace. WORK/mounts has lines of "mode source target"; WORK/env the
# environment, each with a NUL behind it; WORK/upper what is laid over the image; WORK/termination-log is the report.
set -euo pipefail
rootfs=$1 work=$2 uid=$3
shift 3
root=$work/root
mount -t overlay overlay -o "lowerdir=$rootfs,upperdir=$work/upper,workdir=$work/workdir" "$root"
while read -r _ _ target; do mkdir -p "$root$target"; done <"$work/mounts"
mount -o remount,ro "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero random urandom; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
touch "$root/dev/termination-log"
mount --bind "$work/termination-log" "$root/dev/termination-log"
while read -r mode source target; do
  mount --bind "$source" "$root$target"
  [[ $mode == rw ]] || mount -o remount,bind,ro "$root$target"
done <"$work/mounts"
mapfile -d '' -t env <"$work/env"
exec chroot --userspec="$uid:$uid" --groups="$uid" "$root" env -i "${env[@]}" "$@"
