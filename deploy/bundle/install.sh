#!/usr/bin/env bash
# Installs Filament out of this bundle, without any network: DIRECTORY/VERSION, and DIRECTORY/current as its name.
#   ./install.sh [DIRECTORY]       /opt/filament unless told otherwise; PYTHON=… chooses the Python
# What was changed on its way here is refused. 离线安装;文件与哈希不符时拒绝安装。
set -euo pipefail
cd "$(dirname "$0")"
directory="${1:-/opt/filament}"
python="${PYTHON:-python3}"

refuse() {
    printf '%s\n' "$@" >&2
    exit 2
}

sha256sum --check --quiet --strict SHA256SUMS >&2 ||
    refuse "Not installed: this bundle is damaged; copy it again." "未安装:安装包已损坏,请重新复制。"
here="$("$python" -I fits.py)"
[ "$here" = "$(cat FITS)" ] ||
    refuse "Not installed: this bundle is for $(cat FITS), and here is $here; choose another Python by PYTHON=…" \
        "未安装:安装包适用于 $(cat FITS),本机为 $here;可用 PYTHON=… 指定其他 Python。"

version="$(cat VERSION)"
place="$directory/$version"
complete="$place/.complete"
if ! cmp --silent SHA256SUMS "$complete"; then
    # What stands there was left unfinished, or is another build of the same version.
    rm -rf "$place"
    mkdir -p "$directory"
    "$python" -m venv "$place"
    "$place/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir --isolated --no-index \
        --find-links wheels --require-hashes --only-binary :all: --requirement requirements.txt
    cp SHA256SUMS "$complete"
fi
ln -sfn "$version" "$directory/current"
