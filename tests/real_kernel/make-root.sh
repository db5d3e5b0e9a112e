#!/bin/bash
# make-root.sh DEBS SITE PYTHON OUT: the root file system of the emulated board, as an ext4 image. Run it as root or by
# fakeroot. DEBS lists Debian packages, one a line; SITE holds Python packages; PYTHON is of the board's version. No
# maintainer script runs, so this script does what they would do.
set -euo pipefail
debs=${1:?} site=${2:?} python=${3:?} out=${4:?}
root=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "${root:?}"' EXIT
chmod 755 "$root"
mkdir -p "${root:?}"/usr/{bin,sbin,lib}
for name in bin sbin lib; do ln -s "usr/$name" "${root:?}/$name"; done
while read -r deb; do
  dpkg-deb --fsys-tarfile "$deb" | tar -x -p -C "$root" --keep-directory-symlink
done <"$debs"

cat >"${root:?}/etc/passwd" <<END
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
messagebus:x:100:101::/nonexistent:/usr/sbin/nologin
alice:x:1000:1000::/home/alice:/bin/bash
bob:x:1001:1001::/home/bob:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
END
cp "${root:?}/usr/share/base-passwd/group.master" "${root:?}/etc/group"
printf '%s\n' messagebus:x:101: alice:x:1000: bob:x:1001: >>"${root:?}/etc/group"
sed 's/:.*/:*:19000:0:99999:7:::/' "${root:?}/etc/passwd" >"${root:?}/etc/shadow"
sed 's/:.*/:*::/' "${root:?}/etc/group" >"${root:?}/etc/gshadow"
chmod 640 "${root:?}/etc/shadow" "${root:?}/etc/gshadow"
printf '%s: files\n' passwd group shadow gshadow hosts >"${root:?}/etc/nsswitch.conf"
for part in auth account password session session-noninteractive; do
  echo "${part%%-*} required pam_permit.so" >"${root:?}/etc/pam.d/common-$part"
done
echo board >"${root:?}/etc/hostname"
echo 127.0.0.1 localhost board >"${root:?}/etc/hosts"
echo 0123456789abcdef0123456789abcdef >"${root:?}/etc/machine-id"
: >"${root:?}/etc/fstab"
mkdir -p "${root:?}"/{home/alice,home/bob,share,run,tmp,mnt,proc,sys,dev,opt/powertrain,usr/local/bin,usr/local/sbin}
chown 1000:1000 "${root:?}/home/alice"
chown 1001:1001 "${root:?}/home/bob"
chmod 1777 "${root:?}/tmp"

cp -r "$site" "${root:?}/opt/site"
printf '/opt/powertrain\n/opt/site\n' >"${root:?}/usr/lib/python3/dist-packages/board.pth"
cat >"${root:?}/usr/local/bin/powertrain" <<END
#!/usr/bin/python3
import sys
from lightning_powertrain.cli import main
sys.exit(main())
END
chmod 755 "${root:?}/usr/local/bin/powertrain"
# The emulated board would take minutes to compile them.
"$python" -m compileall -q -s "$root" --invalidation-mode unchecked-hash "${root:?}"/{usr/lib/python3,opt/site} \
  "${root:?}"/usr/lib/python3.* || true
chown -R 0:0 "${root:?}/opt" "${root:?}/usr/lib"/python3*

units="${root:?}/etc/systemd/system"
mkdir -p "$units/multi-user.target.wants"
cat >"$units/scenarios.service" <<END
[Unit]
Description=Scenarios of the tests
After=basic.target

[Service]
Type=idle
ExecStart=/opt/powertrain/guest/start
StandardOutput=journal+console
StandardError=journal+console
END
ln -s ../scenarios.service "$units/multi-user.target.wants/"
ln -sf /lib/systemd/system/multi-user.target "$units/default.target"
for unit in systemd-timesyncd.service systemd-resolved.service systemd-networkd.service systemd-logind.service \
  apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer dpkg-db-backup.timer motd-news.timer \
  systemd-pstore.service systemd-update-utmp.service systemd-journal-flush.service systemd-hwdb-update.service \
  systemd-sysusers.service systemd-random-seed.service systemd-binfmt.service systemd-firstboot.service \
  getty@tty1.service serial-getty@ttyAMA0.service systemd-udevd.service systemd-udev-trigger.service \
  systemd-machine-id-commit.service; do
  ln -sf /dev/null "$units/$unit"
done
rm -rf "${root:?}"/usr/share/{doc,locale,man,zoneinfo,i18n}
rm -f "$out"
truncate -s 1500M "$out"
mkfs.ext4 -q -F -d "$root" -O '^metadata_csum,^64bit,^has_journal' "$out"
