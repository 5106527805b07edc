#!/bin/sh
# unpack.sh FOLDER PACKAGE...
# Unpacks packages of Debian, and those that they depend on, into a folder that becomes a layer of the image.
# None is installed: no script of a package makes a user, a certificate or a cluster, and the image has no
# package manager. What /system has already does not come again.
set -eu
folder=$1
shift

# These count as installed: they do not come, and neither does what only they need. perl-base, which runs the
# supervisor's shim, is enough of Perl; C.UTF-8 is in libc-bin, `locales` has but the sources of others; LLVM
# is 120 MB for a JIT that stays off. The others keep clusters in Debian's way, make certificates for tests, set
# up networks, ask questions, start services or log somebody in.
absent='perl locales libllvm19 postgresql-common postgresql-client-common ssl-cert
  base-passwd debconf init-system-helpers iproute2 libpam-modules libpam-runtime'
state=var/lib/dpkg
mkdir -p "/system/$state" "$folder/$state/info"
touch "/system/$state/status"
printf 'Package: %s\nStatus: install ok installed\nVersion: 9:9\nArchitecture: all\n\n' $absent \
  | cat "/system/$state/status" - > /tmp/status

apt-get update
apt-get -o Dir::State::status=/tmp/status install --download-only --no-install-recommends -y "$@"
[ "$folder" = /system ] || cp "/system/$state/status" "$folder/$state/"
for package in /var/cache/apt/archives/*.deb; do
  name=$(dpkg-deb --field "$package" Package)
  dpkg-deb --extract "$package" "$folder"
  # Tools that look for vulnerable packages read these two.
  { dpkg-deb --field "$package"; printf 'Status: install ok installed\n\n'; } >> "$folder/$state/status"
  dpkg-deb --fsys-tarfile "$package" | tar --list | sed 's|^\.||; s|/$||' > "$folder/$state/info/$name.list"
  rm "$package"
done

cd "$folder"
rm -rf usr/share/man usr/share/info usr/share/locale usr/share/lintian
find usr/share/doc ! -type d ! -name copyright -delete
find usr/share/doc -type d -empty -delete
# Nothing here changes its user: root starts what runs as others by setpriv, which needs no bit.
find . -perm /6000 -type f -exec chmod ug-s {} +
