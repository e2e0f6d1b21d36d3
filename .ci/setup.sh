#!/bin/sh
# Makes .venv from the pinned packages and installs this checkout into it. `make` calls it when
# something changed. Interrupted, it starts afresh the next time.
set -eu
cd "$(dirname "$0")/.."
venv=.venv
unfinished=$venv/.unfinished

fail() {
    printf 'set-up: %s\n' "$@" >&2
    exit 1
}

recent() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

have_uv() {
    uv --version >/dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        recent "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or newer"
        echo "$PYTHON"
        return
    fi
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if recent "$name"; then
            command -v "$name"
            return
        fi
    done
    if have_uv; then
        UV_PYTHON_DOWNLOADS=never uv python find --quiet '>=3.11' 2>/dev/null && return
    fi
    fail "no Python 3.11 or newer found (looked for python3, python3.14 ... python3.11)." \
        "Install one, or name it: make setup PYTHON=/path/to/python3"
}

make_venv() {
    python=$(find_python)
    rm -rf "$venv"
    if have_uv && UV_PYTHON_DOWNLOADS=never uv venv --quiet --python "$python" "$venv"; then
        return
    fi
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python cannot make virtual environments: its venv module is missing." \
            "Install it (Debian, Ubuntu: apt install python3-venv), or install uv."
    "$python" -m venv "$venv" || fail "$python -m venv $venv failed, see above."
}

# The scripts in an environment hold its path.
moved() {
    [ -e "$venv/.ready" ] && [ "$(cat "$venv/.ready")" != "$(pwd)" ]
}

usable() {
    [ ! -e "$unfinished" ] && ! moved && recent "$venv/bin/python" &&
        { have_uv || "$venv/bin/python" -m pip --version >/dev/null 2>&1; }
}

echo "set-up: installing the pinned packages into $venv (once)" >&2
usable || make_venv
rm -f "$venv/.ready"
: >"$unfinished"
sh .ci/install.sh --require-hashes -r requirements.txt
sh .ci/install.sh --no-deps --no-build-isolation --editable .
rm -f "$unfinished"
pwd >"$venv/.ready"
