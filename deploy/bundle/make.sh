#!/usr/bin/env bash
# Makes the offline bundle: all that a site without internet needs, in one archive with a hash for each file.
#   deploy/bundle/make.sh [DIRECTORY]       into dist/ unless told otherwise; PYTHON=… chooses the Python
# It fits the Python and the processor that it was made with. 离线安装包:适用于与制作时相同的 Python 版本与处理器。
set -euo pipefail
cd "$(dirname "$0")/../.."
python="${PYTHON:-python3}"
target="$(realpath --canonicalize-missing "${1:-dist}")"
version="$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)"
fits="$("$python" deploy/bundle/fits.py)"
name="filament-$version-$fits"
work="$(mktemp --directory)"
trap 'rm -rf "$work"' EXIT
bundle="$work/$name"
mkdir -p "$bundle/deploy" "$target"

"$python" -m venv "$work/tools"
pip=("$work/tools/bin/pip" --quiet --disable-pip-version-check)
# Wheels only: a site without internet has no compiler either.
"${pip[@]}" download --require-hashes --only-binary :all: --requirement requirements/node.txt --dest "$bundle/wheels"
"${pip[@]}" wheel --no-deps --wheel-dir "$bundle/wheels" .
own="$(sha256sum "$bundle"/wheels/filament_node-*.whl | cut -d ' ' -f 1)"
{ cat requirements/node.txt; echo "filament-node==$version --hash=sha256:$own"; } > "$bundle/requirements.txt"

cp deploy/bundle/install.sh deploy/bundle/fits.py LICENSE "$bundle"
cp -r deploy/node.toml deploy/systemd deploy/prometheus deploy/grafana deploy/README.md deploy/README.zh-CN.md "$bundle/deploy"
echo "$version" > "$bundle/VERSION"
echo "$fits" > "$bundle/FITS"
(cd "$bundle" && find . -type f ! -name SHA256SUMS -print0 | sort --zero-terminated | xargs --null sha256sum > "$work/sums")
mv "$work/sums" "$bundle/SHA256SUMS"
tar --create --gzip --sort=name --owner=0 --group=0 --numeric-owner --directory "$work" --file "$target/$name.tar.gz" "$name"
(cd "$target" && sha256sum "$name.tar.gz" > "$name.tar.gz.sha256")
echo "$target/$name.tar.gz"
