#!/bin/busybox sh
# Runs the test binaries one after the other and says how each ended. No hierarchy but cgroup v2 is mounted.
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin:/usr/sbin HOME=/ TMPDIR=/tmp RUST_BACKTRACE=0 RUST_TEST_THREADS=2
export DAVIT_BIN_DIR=@PROGRAMS@
mkdir -p /dev /proc /sys /tmp /run
mount -t devtmpfs devtmpfs /dev
exec > /dev/ttyS0 2>&1 < /dev/null
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mkdir -p /dev/pts /dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
ln -sf /proc/self/fd /dev/fd
while read -r module; do insmod "/modules/$module"; done < /etc/modules
ip link set lo up
echo "GUEST-KERNEL $(uname -r), controllers $(cat /sys/fs/cgroup/cgroup.controllers)"

run() {
    "$1" $2
    echo "GUEST-END ${1##*/} $?"
}
@TESTS@
echo GUEST-DONE
poweroff -f
