#!/usr/bin/env bash
# Makes a Debian package of an offline bundle.
#   deploy/deb/build.sh BUNDLE.tar.gz [DIRECTORY]       into dist/ unless told otherwise
# The package carries the bundle, and makes the virtual environment of it where it is installed: one cannot be moved.
set -euo pipefail
bundle="$(realpath "$1")"
target="$(realpath --canonicalize-missing "${2:-dist}")"
cd "$(dirname "$0")"
root="$(mktemp --directory)"
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
share="$root/usr/share/filament/bundle"
install -d "$target" "$root/DEBIAN" "$root/etc/filament" "$root/usr/bin" "$root/usr/lib/systemd/system" \
    "$root/usr/lib/sysusers.d" "$root/usr/share/doc/filament" "$share"
tar --extract --strip-components=1 --no-same-owner --directory "$share" --file "$bundle"

install -m 644 "$share"/deploy/systemd/*.service "$root/usr/lib/systemd/system"
install -m 644 sysusers.conf "$root/usr/lib/sysusers.d/filament.conf"
install -m 644 "$share/LICENSE" "$root/usr/share/doc/filament/copyright"
sed 's|^data_directory = .*|data_directory = "/var/lib/filament/node"|' "$share/deploy/node.toml" > "$root/etc/filament/node.toml"
chmod 640 "$root/etc/filament/node.toml"
ln -s /opt/filament/current/bin/filament "$root/usr/bin/filament"

version="$(cat "$share/VERSION")"
minor="$(sed -E 's/^cp3([0-9]+)-.*/\1/' "$share/FITS")"
architecture="$(dpkg --print-architecture)"
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" \
    -e "s/@PYTHON@/3.$minor/" -e "s/@NEXT_PYTHON@/3.$((minor + 1))/" \
    -e "s/@SIZE@/$(du --summarize --block-size=1024 "$root" | cut -f 1)/" control.in > "$root/DEBIAN/control"
echo /etc/filament/node.toml > "$root/DEBIAN/conffiles"
install -m 755 postinst prerm postrm "$root/DEBIAN"
# The wheels are packed already.
dpkg-deb --root-owner-group -Zgzip -z1 --build "$root" "$target/filament_${version}_$architecture.deb" >&2
echo "$target/filament_${version}_$architecture.deb"
