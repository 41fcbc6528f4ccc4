#!/bin/bash
# The first process of the machine whose power is cut (uml.py): mounts its disk at /mnt/disk and
# runs power-inside.py with what the kernel's command line says.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8
# Not in /tmp, which is the other machine's and read-only: the repository may lie there.
export HOME=/run TMPDIR=/run XDG_RUNTIME_DIR=/run
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /run
mount -t tmpfs tmp /mnt
mount -t tmpfs tmp /dev/shm 2> /dev/null
ip link set lo up
mkdir /mnt/disk
mount -t ext4 /dev/ubda /mnt/disk || { echo "cannot mount the disk"; halt -f; }
"$FORAGE_PYTHON" "$(dirname "$0")/power-inside.py" ${FORAGE_WORDS//,/ } 2>&1
echo "ended with $?"
sync
halt -f
