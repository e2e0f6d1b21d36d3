#!/bin/sh
# Does hatchway.pyz run, and does `pipx install .` give a working program? Used by make check-pyz.
set -eu
cd "$(dirname "$0")/.."
here=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
export HOME="$work/home" SHIV_ROOT="$work/shiv"
mkdir -p "$HOME"

fail() {
    echo "check-pyz: $*" >&2
    exit 1
}

# With nothing running, `status` has to say so in words.
works() {
    name=$1
    shift
    cd "$work"
    "$@" --version || fail "$name --version failed"
    "$@" check --dir "$here/config" || fail "$name check failed"
    "$@" status --dir "$work/nothing" >out 2>&1 && fail "$name status found something running"
    cat out
    ! grep -q Traceback out || fail "$name status crashed"
    [ -s out ] || fail "$name status said nothing"
    cd "$here"
}

echo "== hatchway.pyz"
works hatchway.pyz "$here/hatchway.pyz"

echo "== an installation of its own, as pipx makes it"
if uv --version >/dev/null 2>&1; then
    UV_PYTHON_DOWNLOADS=never uv venv --quiet --python "$here/.venv/bin/python" "$work/pipx"
    uv pip install --quiet --python "$work/pipx/bin/python" "$here"
else
    .venv/bin/python -m venv "$work/pipx"
    "$work/pipx/bin/python" -m pip install --quiet --disable-pip-version-check "$here"
fi
works hatchway "$work/pipx/bin/hatchway"

# Everything in the two packages that git knows is in the installation, data files too.
site=$(cd "$work" && "$work/pipx/bin/python" -c 'import hatchway, pathlib; print(pathlib.Path(hatchway.__file__).parents[1])')
git ls-files -- backend tui config | while read -r file; do
    case $file in
    config/*) inside=hatchway/shipped/${file#config/} ;;
    *) inside=${file#*/} ;;
    esac
    cmp -s "$file" "$site/$inside" || fail "$file is not in the installation as it is here"
done
echo "check-pyz: both work"
