#!/bin/sh
# Makes hatchway.pyz: the whole program in one file, for bastions that have a Python and no more.
set -eu
cd "$(dirname "$0")/.."
work=build/pyz
rm -rf "$work"
mkdir -p "$work"
sh .ci/install.sh --target "$work/site" --require-hashes -r requirements-run.txt
sh .ci/install.sh --target "$work/site" --no-deps --no-build-isolation .
sh .ci/install.sh --target "$work/shiv" --no-deps --require-hashes -r requirements-pyz.txt
PYTHONPATH=$work/shiv .venv/bin/python -m shiv --site-packages "$work/site" --compressed \
    --extend-pythonpath --console-script hatchway --python '/usr/bin/env python3' \
    --output-file hatchway.pyz
ls -l hatchway.pyz
