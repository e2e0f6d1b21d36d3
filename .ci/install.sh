#!/bin/sh
# `pip install` for .venv with these arguments: by uv where it is present and can, else by pip.
set -eu
cd "$(dirname "$0")/.."
python=.venv/bin/python

if uv --version >/dev/null 2>&1; then
    uv pip install --quiet --compile-bytecode --python "$python" "$@" && exit 0
    echo "set-up: uv could not install them (see above); trying pip" >&2
    # An environment made by uv has no pip yet.
    "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >/dev/null
fi
"$python" -m pip install --quiet --quiet --disable-pip-version-check --no-warn-script-location "$@" || {
    echo "set-up: the packages could not be installed, see above." >&2
    echo "Is the package index reachable? pip and uv take their settings from pip.conf and uv.toml." >&2
    exit 1
}
