#!/usr/bin/env bash
# Run a command in a copy of a system image: enter.sh IMAGE CHANGES USER COMMAND [SHARED ...]
#
# CHANGES is a folder in which what the command writes is kept. Each SHARED file or folder of this
# machine appears at the same place in there, to be read only. To be called in namespaces of its
# own (unshare --mount --pid --fork --kill-child), so that no mount and no process is left over,
# whatever happens. The command gets the variables BARE_*, without that prefix, and no others.
set -euo pipefail
image=$1 changes=$2 user=$3 command=$4
shift 4
root=$changes/root
mkdir -p "$root" "$changes/upper" "$changes/work"
mount -t overlay overlay -o "lowerdir=$image,upperdir=$changes/upper,workdir=$changes/work" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm" 2>/dev/null || true
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done

for shared in /etc/resolv.conf "$@"; do
  [ -e "$shared" ] || continue
  if [ -d "$shared" ]; then
    mkdir -p "$root$shared"
  else
    mkdir -p "$root$(dirname "$shared")"
    [ -e "$root$shared" ] || touch "$root$shared"
  fi
  mount --bind "$shared" "$root$shared"
  mount -o remount,ro,bind "$root$shared"
done
if [ -n "${BARE_PIP_CACHE_DIR:-}" ]; then
  mkdir -p "$root$BARE_PIP_CACHE_DIR"
  mount --bind "$PIP_CACHE" "$root$BARE_PIP_CACHE_DIR"
fi

variables=()
while IFS= read -r -d '' variable; do
  [[ $variable == BARE_* ]] && variables+=("${variable#BARE_}")
done < <(env -0)
exec chroot --userspec="$user" "$root" /usr/bin/env -i "${variables[@]}" bash -ec "$command"
